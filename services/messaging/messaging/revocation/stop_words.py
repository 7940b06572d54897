"""Stop words that are all that is said, or a clause of their own, and what may stand around them. Pure data."""

from messaging.revocation.words import CONTACT, words_of

STOP_WORDS = words_of(
    "stop stopall unsubscribe unsub optout quit discontinue desist cease arrete arretez arreter alto paren "
    "pare basta desabonnement desinscription cessez"
)
# Weak ones: alone with a "please", they may as well speak of an appointment.
WEAK_STOP_WORDS = words_of("cancel end revoke enough parar assez ya")
FILLERS = words_of(
    "please thanks thank you thx ty hi hello hey dear ok okay now asap immediately already yeah yes yep "
    "just kindly and it this that all everything sir madam maam miss sorry so right away at once reply text "
    "type say to the with word means i we said again for good por favor gracias hola senor senora de porfa "
    "ya no mas ustedes merci svp stp bonjour bonsoir ca maintenant vraiment guys yall omg ugh seriously "
    "fucking damn hell fully cancel end revoke message send im serious bye goodbye both ever permanently "
    "every bitte"
)
# Somebody who says "stop!" like that is delighted.
DELIGHT = (
    r"\b(?:love(?! of)|loves|loved|gorgeous|beautiful|stunning|amazing|wow|kind|sweet|blush\w*"
    r"|haha\w*|lol|lmao|omg|adorable|incredible|pretty|nice"
    r"|cute|perfect|oh stop|aww? stop|too much|flatter\w*|making me|obsessed|i am (?:dying|dead|crying)|jealous"
    r"|wonderful|hehe\w*|jaja\w*|joke|joking|kidding|genius"
    r"|magnifique|hermos\w+|precios\w+|bell\w+|best)\b|[\U0001f600-\U0001f606\U0001f60a"
    r"\U0001f60d\U0001f618\U0001f923\U0001f929\U0001f970"
    r"\u2764\U0001f495-\U0001f49c\U0001f525\U0001f62d\U0001f639\U0001f979]"
)
# Somebody who says so wants some texts: then a person has to look which.
WANTS_TEXTS = (
    r"\b(?<!you )(?<!still )(?:keep|continue|carry on|go on) (?:texting|sending|messaging"
    r"|the|me|them|it)\b|(?<!donot )(?<!not )\b(?:do|please|just|but|still|only|and"
    r"|can you) (?:tell|text|let|message|remind) me\b|\btexts? (?:is|are) (?:\w+ )?"
    r"(?:fine|ok|okay|better|best|enough|great|good)\b|\bexcept\b"
    r"|\bonly (?:text|message|send|about|when|if|for)\b|\bunless\b"
)

# Whoever is delighted says "stop" without meaning it, unless texts are spoken of.
UNLESS_DELIGHTED = frozenset({"a stop that nothing explains"})
SPEAKS_OF_TEXTS = rf"\b{CONTACT}\b|\btext(?:s|ing|ed)?\b"

# Without a word such as these nobody refuses anything, whatever the other words are.
REFUSES = (
    r"\b(?:no|not|never|none|noone|nobody|nothing|without|donot|didnot|cannot|willnot|wouldnot|shouldnot|isnot"
    r"|doesnot|off|out"
    r"|away|last|less|wrong|stop\w*|quit\w*|end|ends|cease\w*|halt|remov\w*|delet\w*|eras\w*|lose|trash|dump|drop"
    r"|block\w*"
    r"|suspend|suppress|pause|cancel\w*|terminat\w*|revok\w*|withdraw\w*|unsub\w*|opt|enough|leave|spam\w*|refrain|mute"
    r"|ya|basta|deje\w*|borr\w*|quit\w*|ne|plus|pas|arret\w*|cess\w*|retir\w*|supprim\w*)\b"
)
