"""Slips of the pen and short forms, and what is meant by them. Pure data."""

from messaging.revocation.words import words_of

# Short words are near to too many others for a distance to help ("shop", "step", "top"): their slips are listed.
_SLIPS = {
    "stop": "stopp sttop stpo sotp tsop stp stopt srop stoop ztop stoip stiop stob stopo stahp sthap stawp st0p",
    "stop texting": "stoptexting",
    "stop it": "stopit",
    "stop texting me": "stoptextingme",
    "please": "plz pls plse plese pleas plea pleez pleae plase plesae pleaes",
    "you": "u",
    "your": "ur",
    "are": "r",
    "people": "ppl",
    "through": "thru",
    "text": "txt tex tect texr texy",
    "texts": "txts textes texs txtes",
    "texting": "txting texing textin txtng texitng tecting texring txtin",
    "message": "msg mesage mssg messge messsage",
    "messages": "msgs mesages mssgs messges mesgs",
    "messaging": "msging messagin",
    "donot": "dont dnt dosent dontt dint",
    "cannot": "cant",
    "couldnot": "couldnt",
    "willnot": "wont",
    "wouldnot": "wouldnt",
    "doesnot": "doesnt",
    "didnot": "didnt",
    "hasnot": "hasnt",
    "havenot": "havent",
    "isnot": "isnt aint",
    "wasnot": "wasnt",
    "shouldnot": "shouldnt",
    "mustnot": "mustnt",
    "arenot": "arent",
    "neednot": "neednt",
    "want to": "wanna",
    "going to": "gonna",
    "i am": "im",
    "i have": "ive",
    "you have": "youve",
    "you are": "youre",
    "they are": "theyre",
    "they have": "theyve",
    "we have": "weve",
    "that is": "thats",
    "i would": "id",
    "number": "numbr nr num",
    "remove": "remve rmove",
    "no more": "nomore",
    "anymore": "anymroe anymor",
    "thanks": "thx",
    "the": "teh",
    "this": "thsi",
    "of": "ofm",
    "send": "sned",
    "sending": "seding",
    "que": "q",
    "unsubscribe": "unsuscribe unsubcribe unsubscibe",
    "mensajes": "mesajes",
}
SPELLINGS = {slip: meant for meant, slips in _SLIPS.items() for slip in slips.split()}

# Longer words are known again with a slip or two in them, but only where no other word is meant.
KNOWN_WORDS = words_of(
    "texting messages messaging message sending unsubscribe contact contacting remove number receive "
    "receiving anymore please subscription promotions marketing offers spamming harassing bothering consent "
    "permission advertising mensajes escriban escriba numero desabonnez desinscrire tranquille envoyez "
    "ecrivez publicidad"
)
NOT_A_SLIP = words_of(
    "testing resting nesting vesting texturing teasing lending bending mending ending sensing spending "
    "fending seconding sanding contract contracts context content contest massages massage passage passages "
    "massaging managing lumber numbers remote removed removes moved offer officers others promotion "
    "messenger receiver received recently deceive perceive relieve pleased pleasure pleases sealing pending "
    "mentioning consist consents concert contacts contacted contain numeros escribe escriben remover cement "
    "spanning slamming subscribe subscribed permissions mensaje receives receipt reserve promoting texture "
    "texted"
)

# What is often written without its last letter.
DROPPED_G = words_of(
    "texting messaging sending contacting writing calling blowing hitting bugging bothering spamming harassing"
    " pestering annoying stalking pinging getting receiving stopping asking telling"
)
