"""Ways of speaking that ask for silence, where no phrase does: tried after the rules, and never clear. Pure data.

Somebody is weary of texts, did not ask for them, is somebody else, wants off something, or is to be reached otherwise.
"""

from messaging.revocation.rules import Rule
from messaging.revocation.words import (
    ANY,
    GO_EASY,
    LIST,
    MESSAGES,
    NOT,
    NUISANCE,
    NUMBER,
    TEXT,
    TEXTING,
    WEARY,
)

_OF_THEM = (
    "(?: (?:with|of|on|by|in|about|from|to|for|at|over|all|the|these|those|this|your|yall|such|so|any|more|many"
    "|getting|receiving|seeing|reading|sending|damn|stupid|constant|endless)){0,5}"
)
_DEGREE = (
    "(?: (?:just|so|too|very|really|all|only|simply|getting|becoming|not|me|us|totally|completely)){0,3}"
)
_YOUR = "(?: (?:your|the|this|these|that|those|all|any|future|whatever|every|other|text|from))*"
_AGREED = (
    r"(?:opt(?:ed)?(?: in)?|sign(?:ed)?(?: (?:me|myself|up))*|subscribed?|enroll?(?:ed)?|register(?:ed)?|agreed?"
    r"|consent(?:ed)?|join(?:ed)?|authori[sz]ed?|request(?:ed)?)"
)
_TO_GET = (
    "(?: (?:in|up|into|to|for|on|with|get|getting|receive|receiving|be|being|you|anyone|use|using|the|of))*"
)
_ME = rf"(?:me|us|my name|(?:my|this|our|his|her) (?:\w+ )?{NUMBER})"
_PROGRAM = (
    rf"(?:autodial\w*|robo\w*|campaigns?|group text|subscription|thing|{MESSAGES}|(?:text|texting|sms|messag\w+"
    r"|marketing|promo\w*) (?:\w+ )?(?:list|group|club|program|chain|thread|system|service))"
)
_AUTHORITIES = r"(?:lawyers?|attorneys?|police|court|sue|suing|fcc|ftc|report\w*|legal|complaint|block\w*)"


def _way(name: str, *patterns: str) -> Rule:
    return Rule(name, "|".join(patterns), is_clear=False)


WAYS = (
    _way(
        "weary of texts",
        rf"\b(?:{WEARY}|{GO_EASY}|annoyed|irritated|bothered){_OF_THEM} {MESSAGES}\b",
        rf"\b(?:your|these|those|the|this|all|such|so many|daily|constant|random) (?:\w+ )?{MESSAGES} (?:\w+ )?"
        r"(?:are|is|r|gets?|getting|have become|has become|became|drives?|driving|make|making)"
        rf"{_DEGREE} {NUISANCE}\b",
    ),
    _way(
        "enough",
        r"\benough is enough\b",
        "^(?:(?:please|just|ok|and|oh) )*give (?:it|me|us) a (?:rest|break)(?: (?:already|please|now|with .*))*$",
    ),
    _way(
        "spam",
        "^(?:(?:this|it|that|thats|its|is|just|more|looks|like|all|total|pure|obvious|again) )*spam(?:mers?)?$",
        r"\b(?:too much|so much|enough|your|all this|constant|more) spam\b",
    ),
    _way(
        "why still texts",
        r"\bwhy (?:on earth |the hell |in the world )?(?:do|does|are|is|am|r|would|must)(?: (?:you|yall|i|we|they"
        r"|she|he|this|your \w+|people|guys|it))+(?: (?:still|always|keep|keeps|constantly|even|all)){1,3}"
        rf" (?:{TEXTING}|getting|receiving|sending|send|text|message|contact)\b",
    ),
    _way(
        "still texts after a no",
        rf"\b(?:keep|keeps|kept|still|continue|continues|continued)(?: \w+)? (?:{TEXTING}|get|getting|receive"
        r"|receiving|send|sending|coming)\b.*\b(?:even though|although|after|despite|said no|told you|asked you"
        r"|asked (?:\w+ )?to)\b",
    ),
    _way(
        "is to be the last",
        r"\b(?:let|should|better|must|expect|want|hope|be)\b.*\blast (?:text|message|time you (?:text|contact|message"
        r"|write))",
    ),
    _way(
        "did not ask for it",
        rf"\b(?:never|didnot|donot|not|havenot|hasnot|wasnot)(?: \w+){{0,2}} {_AGREED}{_TO_GET}"
        rf"(?: (?:{ANY})(?:{MESSAGES}|list|program|campaign|club|group)\b"
        r"| (?:this|these|that|those|anything|any of (?:this|it))(?:$| ,)|$)",
    ),
    _way(
        "not to get them",
        rf"\bnot (?:want )?(?:to )?(?:be )?(?:get|getting|receive|receiving|see|seeing)(?: (?:any|more|of|your))*"
        rf" (?:these|those|more|{MESSAGES})\b",
    ),
    _way(
        "not with this number",
        rf"\b(?:{NOT}|stop|quit|no right to)(?: (?:you|to|please|ever|the|authori[sz]e|have))* (?:use|using|keep"
        rf"|keeping"
        rf"|share|sharing|sell|selling|store|storing|dial|dialing)(?: of)? (?:my|this|our) (?:\w+ )?{NUMBER}\b",
    ),
    _way(
        "a number to be removed",
        rf"\b(?:like|want|need|have|get|please) (?:my|this|our|his|her) (?:\w+ )?{NUMBER}(?: to)?(?: be)? (?:deleted"
        rf"|removed"
        r"|erased|taken off|taken out|unlisted|off your)\b",
        rf"\b(?:my|this|our|his|her) (?:\w+ )?{NUMBER} (?:to|should|must|needs to|has to) be (?:deleted|removed"
        rf"|erased|taken)\b",
        rf"\b(?:take|get|keep|leave) {_ME}(?: and (?:me|mine|my \w+))? off(?: of)? (?:everything|anything|it all"
        rf"|all of)\b",
        rf"\b(?:take|get|keep|leave) my \w+ and (?:me|mine) (?:off|out)(?: of)?{_YOUR} (?:\w+ )?(?:{LIST}"
        rf"|{MESSAGES})\b",
    ),
    _way(
        "not to be contacted",
        rf"\b(?:{NOT}|no longer) (?:\w+ )?(?:want|wish|like|need|care|agree|consent)(?: to)? be(?:ing)? (?:contacted"
        rf"|texted|messaged"
        r"|called|reached|notified)\b(?! (?:before|until|till|after|today|tonight|tomorrow|while))",
    ),
    _way(
        "not one text",
        rf"^not (?:one|another|a single)(?: more| other)? {MESSAGES}(?:$| ,| please| again| ever| more)",
    ),
    _way(
        "put an end to them",
        rf"\b(?:put an end to|put a stop to)(?: (?:all|the|these|those|this|your|any))* (?:{MESSAGES}|this|these|it)\b",
        rf"\b(?:turn|switch|shut)(?: (?:all|the|these|those|your|my))* {MESSAGES} off\b",
        rf"\btake off (?:my|this|our) (?:\w+ )?{NUMBER}\b",
        r"\bnot (?:be )?(?:texted|messaged|contacted) (?:again|ever|further)\b",
    ),
    _way("not from you", r"^(?:please |and |just )*no more (?:\w+ )?from (?:you|yall|your \w+|this \w+)\b"),
    _way(
        "que me quiten",
        r"\b(?:quiero|quisiera|pido|solicito|favor) (?:que )?(?:me|nos|lo|la)? ?(?:quit\w+|saqu\w+|sac\w+|borr\w+"
        r"|elimin\w+|dejen?)"
        r" (?:de )",
    ),
    _way(
        "wants off",
        r"\b(?:get|take|count|drop|pull|keep|leave|cut|kick|rule|include|want|like|need)(?: (?:to|be|get|way|way))*"
        rf" (?:{_ME} (?:off|out)|off|out)(?: of| from)?{_YOUR} (?:\w+ )?{_PROGRAM}\b",
        rf"\b(?:exclude|omit|scrub|purge|wipe|drop|erase|strike|remove|delete)d? {_ME}(?: \w+)? (?:from|off){_YOUR}"
        rf" (?:\w+ )?(?:{LIST}|campaigns?|mailings?|contacts?)\b",
        r"^off (?:the|your|this) (?:\w+ )?list\b",
        r"\b(?:request|requested|requesting|demand|asked for|want) (?:\w+ ){0,2}removal\b",
    ),
    _way(
        "wants no part",
        r"\b(?:donot|not|no longer|never|rather|prefer)(?: \w+)? (?:want|wish|care|like|agree|going|not)(?: \w+)?"
        r" (?:be )?(?:a )?(?:part|member|on|in|included|subscribed|enrolled)(?: (?:of|in|on|to|any|your|this|the"
        rf"|these))* (?:\w+ )?(?:{LIST}|club|chat|campaigns?|{MESSAGES})\b",
    ),
    _way(
        "no need for texts",
        r"\bno (?:\w+ )?(?:need|use|reason)(?: (?:for|of|to|in|you|get|getting|receive|receiving|be|keep))*"
        rf" (?:{ANY})?(?:{MESSAGES}|{TEXT}|{TEXTING})\b.*\b(?:anymore|longer|now|from you|again)\b",
        r"\bno (?:desire|interest|wish)(?: (?:for|of|in|to|get|getting|receive|receiving|be))*"
        rf" (?:{ANY})?(?:{MESSAGES}|texted|contacted)\b",
        r"\bno further (?:\w+ )?(?:messages?|texts?|contact)\b",
    ),
    _way(
        "by another way only",
        r"\b(?:e ?mail|call|phone|mail|write)\b.*\b(?:instead of|rather than|not by|not via|no)(?: a)? (?:texts?"
        r"|texting"
        r"|sms|text messages?)\b",
        r"\b(?:only|just) (?:contact|reach|write|message|notify)(?: \w+){0,2} (?:by|via|through|over) (?:e ?mail|mail"
        r"|phone|post|letter)\b",
        r"\b(?:contact|reach|write|message|notify)(?: \w+){0,2} (?:by|via|through) (?:e ?mail|mail|phone|post"
        r"|letter) only\b",
        r"\bswitch (?:me|us) (?:over )?to (?:e ?mail|mail|calls)\b",
    ),
    _way(
        "somebody else's number",
        r"\b(?:nobody|noone|no one|no \w+) (?:named \w+|by (?:that|this|the) name)\b",
        r"\bthere is no \w+ (?:at|on|with) this (?:number|phone)\b",
        r"\b(?:doesnot|does not|no longer) (?:\w+ )?(?:have|has|own|owns|use|uses) this (?:phone|number|cell|line"
        r"|mobile)\b",
        r"\bthis (?:\w+ )?(?:number|phone|cell|line) (?:now )?belongs to (?:someone|somebody|another|a|my)\b",
        r"\b(?:he|she|they) changed (?:his|her|their) (?:\w+ )?(?:number|phone)\b",
        r"\bthis (?:number|phone|one)? ?is mine now\b",
        r"\bnew owner of this (?:number|phone)\b",
    ),
    _way(
        "the person has died",
        r"\b(?:passed away|died|deceased|passed on|is dead|has passed|no longer with us)\b.*\b(?:remove|delete|take"
        r"|stop|off) (?:him|her|them|his|this|my|the number|off|texting|sending)\b",
    ),
    _way(
        "remove her",
        "(?:^|, )(?:please |just |so )*(?:remove|delete) (?:him|her|them)(?: please| now| thanks)*$",
    ),
    _way(
        "not with this number",
        rf"\bforget (?:that )?you (?:ever )?(?:had|have|got) (?:my|this|our) {NUMBER}\b",
    ),
    _way(
        "blocks us",
        r"^(?:(?:you|are|is|this|your|number|i|am|have|now|and|getting|been|will) )*(?:block|blocked|blocking|reported"
        r"|reporting|muted|muting)(?: (?:and|you|this|number|now|it|your|blocked|blocking|reported|reporting|muted"
        r"|deleted))*$",
        "^mute(?: me| this)?$",
    ),
    _way(
        "threatens",
        rf"\b(?:next|another|one more|further|more) (?:text|message|sms|texts|messages)\b.*\b{_AUTHORITIES}\b",
        rf"\b{_AUTHORITIES}\b.*\b(?:next|another|one more) (?:text|message|sms)\b",
    ),
)
