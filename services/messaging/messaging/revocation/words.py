"""Words that patterns are put together from, in the plain form of `plain.plain_sentences`. Pure data."""


def words_of(text: str) -> frozenset[str]:
    """Return the words of a list that is easier to read as a text."""
    return frozenset(text.split())


STOP = r"(?:stop|quit|cease|desist|discontinue|halt|refrain|knock off|end|ending)"
ME = (
    r"(?:me|us|(?:this|my|our|her|his|their|\w+s) (?:\w+ )?(?:number|phone|cell|mobile"
    "|line)|here)"
)
NUMBER = (
    "(?:(?:cell |phone |mobile |work )?(?:number|phone|cell|mobile|digits|contacts?|contact"
    r" info\w*|info|information"
    r"|details|data))"
)
TEXT = (
    "(?:text|message|contact|reach out(?: to)?|get in touch(?: with)?|follow up(?:"
    " with)?|solicit|notify|remind|spam|bother|disturb|harass|pester|bug|sms|dm|write"
    "(?: to)?|hit)"
)
TEXTING = (
    "(?:texting|reaching out|notifying|reminding|pinging|sms ?ing|messaging|contacting"
    "|writing|spamming|harassing|bothering|bugging|pestering|annoying|disturbing"
    r"|bombarding|blasting|hounding|stalking|soliciting|blowing up)"
)
# Things that come as texts. "updates" and "notifications" come in no other way from a number that texts.
TEXTS = (
    r"(?:(?:\w+ )?(?:texts?|messages?|sms|mms|msgs?)|texting|messaging|notifications?"
    "|communications?|solicitations?"
    r"|promos?|promotions?|promotional|offers?|ads?|adverts?|advertis\w+|marketing"
    "|spam|blasts?|sales? texts?"
    "|text alerts?|(?:sales )?pitch(?:es)?|reminders|newsflash|texts and calls|junk"
    "|crap|bs|shit|nonsense)"
)
ANY = (
    "(?:(?:of|any|anymore|more|all|the|these|this|those|that|your|my|such|so|many"
    "|further|stupid|damn|annoying|stuff"
    "|constant|automated|unwanted|random|kind|text|with|w|sending|getting|receiving"
    "|out|me|us|to|single|other"
    r"|additional|sort|from|you|yall|endless) ){0,4}"
)
NOT = r"(?:donot|not|never|no longer|shouldnot|mustnot|better not|neednot|dare|no need to)"
LIST = (
    "(?:lists?|contacts?|database|data base|system|records|distribution|group|subscriptions?"
    "|thread|messages|texts"
    r"|texting|text|marketing|program|phone|phonebook|books?|crm|rolodex|files?)"
)
# What comes by other ways than a text; asking for an end of it leaves texts alone.
ELSEWHERE = (
    "(?:e ?mails?|news ?letters?|mailers?|catalog(?:ue)?s?|brochures?|letters?|post"
    " ?cards?|flyers?|magazines?"
    "|paper mail|snail mail|junk mail|by mail|by post|in the mail|voice ?mails?|robocalls?"
    "|calls?|invoices?"
    r"|bills?|statements?|facebook|instagram|whatsapp)"
)
# What a jeweller sends, and what somebody may ask not to be sent.
GOODS = (
    "(?:pictures?|photos?|pics?|videos?|rings?|watch(?:es)?|pieces?|packages?|parcels?"
    "|box(?:es)?|flowers?|gifts?"
    "|catalog(?:ue)?s?|invoices?|bills?|receipts?|checks?|e ?mails?|cards?|links?"
    "|quotes?|it|him|her|them|anyone"
    r"|anybody|my \w+|the \w+)"
)
PERSON = (
    "(?:wife|husband|spouse|partner|fiancee?|girlfriend|boyfriend|gf|bf|mom|mother"
    "|mum|dad|father|son|daughter|sister"
    "|brother|kids?|children|friends?|boss|assistant|secretary|ex|parents?|family"
    "|mother in law|jeweler|colleagues?)"
)

# The net below the rules: these words say that something is to end, and those that it is about texts.
ENDING = (
    r"(?:stop|stopped|stopping|suspend|suppress|quit|cease|desist|discontinue|halt|unsub\w*|removed?"
    r"|removal|delete|erase|no more|enough|turn(?:ed)? (?:\w+ )?off"
    "|shut off|cancel|end|ends|block|blocked|blocking|revoke|withdraw|terminate|taken"
    " off|opt(?:ed)? out|annoying|annoyed|spammy|hate"
    r"|unwanted)"
)
CONTACT = (
    "(?:texts|texting|text messages?|messages|messaging|sms|communications?|notifications"
    "|subscription|marketing|promos|promotions|spam"
    "|contacting|this number|my number|my phone|contact list|mailing list|your list"
    "|this list|these alerts|text alerts)"
)

# Texts as a nuisance: what a store says it sends, and what nobody would ask a person for.
MESSAGES = (
    "(?:texts?|text messages?|texting|messages|messaging|sms|mms|notifications?|alerts|spam|spamming|promos?"
    "|promotions?"
    r"|promotional \w+|marketing|advertis\w+|ads|adverts|blasts?|solicitations?|communications?|mailings)"
)
# What somebody says of them who wants none, before their name and after it.
WEARY = (
    "(?:tired|sick|fed up|had (?:it|enough|my fill)|done|over it|finished|through|hate|loathe|enough|no fan"
    "|do without|live without|spare me|spare us|save|not welcome)"
)
NUISANCE = (
    r"(?:annoy\w*|irritat\w*|bother\w*|intrusive|unwelcome|unwanted|unsolicited|undesired|a nuisance|obnoxious"
    r"|excessive"
    "|incessant|out of hand|out of control|too much|too many|too often|overwhelming|ridiculous|crazy|insane|nuts"
    "|up the wall"
    "|not welcome|not wanted|not needed|not appreciated)"
)
GO_EASY = (
    "(?:lay off|ease (?:up|off)|chill|cool it|back off|dial (?:it )?back|tone (?:it )?down|slow down|go easy|hold off"
    "|cut back|give (?:me|us|it) a (?:rest|break))"
)
