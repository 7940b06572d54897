"""What only looks like a wish for silence: visits, watches that stop, delight, other lists. Pure data.

A look-alike is taken out of a sentence before the rules are tried on what is left of it; so "we will stop by, but stop
texting me" still counts.
"""

from dataclasses import dataclass

from messaging.revocation.words import ELSEWHERE, GOODS, NOT, PERSON, TEXT, TEXTING


@dataclass(frozen=True)
class LookAlike:
    """A phrase with a harmless meaning; `name` is what a reader is told.

    Only one that is `about_texts` may hold a word for texts: whoever speaks of texts and of an end of something in one
    breath speaks of visits or watches by chance only.
    """

    name: str
    pattern: str
    about_texts: bool = False


LOOK_ALIKES = (
    # Somebody quotes others, or asks what would happen.
    LookAlike(
        "asks what STOP would do",
        r"\b(?:what (?:happens|would happen|if)|if) (?:i|we) (?:text|reply|send|write|say"
        "|answer|type|respond)(?: with| back)? "
        r"stop\b.*|\b(?:does|is|do) (?:text|reply|send)?ing stop\b.*"
        r"|(?<!times )\b(?:do|should|must|can|may|would) i (?:need to |have to |just )?(?:text|reply|send|write"
        r"|answer|type)(?: with)?"
        r" stop (?!to|for)\w+.*|(?<!times )\b(?:do|should|must) i (?:need to |have to |just )?(?:text|reply|send"
        r"|write)(?: with)? stop"
        r" (?:to|for|if|when) (?!you|texts|messages|these|this|them|all)\w+.*",
        about_texts=True,
    ),
    LookAlike(
        "tells of others",
        r"\b(?:my|his|her|our|the|a|another|their) \w+ (?:\w+ ){0,2}(?:told|asked|texted"
        "|said to|begged|wants|wanted)"
        r" (?:the|his|her|their|another|some|a|my|other|an) \w+ (?:\w+ ){0,2}to (?:stop"
        "|quit|leave)[^,]*",
        about_texts=True,
    ),
    LookAlike(
        "tells of others",
        r"\b(?:my|his|her|our) \w+ (?:\w+ )?(?:said|says|yelled|told) .*\b(?:to|at|from)"
        " (?:another|other|some|the other|a"
        r" different) (?:store|shop|jeweler|guy|woman|man|person|place|brand|company|girl)\b.*",
        about_texts=True,
    ),
    LookAlike(
        "tells of others",
        rf"\b(?:my|his|her|our|the) (?:{PERSON}|(?!texts|messages|spam|offers|promos|ads)\w+)"
        r" (?:\w+ )?(?:wouldnot|willnot|willnot ever|doesnot|donot|didnot|cannot"
        "|never|hasnot|has not|isnot|keeps) (?:ever )?(?:stop|stops|stopped|quit|leaves?"
        "|left|text|message)[^,]*",
        about_texts=True,
    ),
    # Somebody wants to go on.
    LookAlike(
        "asks not to stop",
        r"(?<!you )(?<!why )(?<!can )(?<!cannot )(?<!if )\b(?:please )?(?:donot|never|no"
        " need to|noone needs to|dare not"
        "|not|didnot|neednot|no reason to) (?:you )?(?:ever )?(?:dare )?(?:to )?(?:please"
        " )?(?:even )?(?:stop|quit|cease"
        "|unsubscribe|opt ?out|opting out|cancel|end|block|(?:take|remove|delete|drop"
        "|scratch|get|kick|leave) (?:me|us|my|our"
        r"|this)|lose my|leaving)\b[^,]*",
        about_texts=True,
    ),
    LookAlike(
        "did not ask to stop",
        r"\b(?:donot|didnot|never|not|wasnot|amnot) (?:\w+ )?(?:mean|meant|want|wanted"
        "|ask|asked|wish|say|said|tell|told|try"
        "|trying|intend|intending|going|planning|text|texted|like|need)(?: (?:you|for"
        "|to|that|the|yall|anyone|we|i)){0,2}"
        " (?:to )?(?:be )?(?:stop|unsubscribed?|opt(?:ed)? ?out|quit|cancel|removed?|taken"
        r" off|leave|end|lose)\b[^,]*",
        about_texts=True,
    ),
    LookAlike(
        "a slip that is regretted",
        r".*\b(?:by (?:mistake|accident)|accident\w*|mistakenly|inadvertently|unintentionally"
        "|oops|my kid|toddler|butt"
        r"|autocorrect)\b.*\b(?:stop|unsubscribe\w*|opt\w* ?out)\b.*|.*\b(?:stop|unsubscribe\w*"
        r"|opt\w* ?out)\b.*\b(?:by"
        r" (?:mistake|accident)|accident\w*|mistakenly|sign me (?:back )?up|resubscribe"
        r"|re subscribe)\b.*",
        about_texts=True,
    ),
    LookAlike(
        "asks whether it is so",
        r"\b(?:did|have|am|was|were) (?:i|we) (?:\w+ )?(?:unsubscribed?|opt(?:ed)? ?out|blocked)\b.*",
        about_texts=True,
    ),
    LookAlike(
        "misses the texts",
        r"\bwhy (?:(?:donot|didnot|havenot|arenot|hasnot|isnot)(?: (?:you|yall|the store|maria|anybody"
        r"|anyone))? (?:\w+ )?(?:text\w*|message\w*|sent|send\w*|writ\w*|stop\w*)"
        r"|(?:did|do|have|has|are|is)(?: (?:you|yall|the store|maria|nobody|noone))? (?:\w+ )?"
        r"(?:stop(?:ped)?|not|never|no longer))\b[^,]*",
        about_texts=True,
    ),
    LookAlike(
        "misses the texts",
        r"(?<!can )(?<!could )(?<!will )(?<!would )(?<!rather )(?<!prefer )(?<!that )(?<!if )(?<!why )\byou (?:never"
        r"|donot|havenot"
        "|didnot|stopped|no longer|hardly|quit)(?: ever)? (?:text|message|texted|messaged"
        r"|texting|messaging|sending|write|writing|contacted|contact|send|sent)\b[^,]*",
        about_texts=True,
    ),
    LookAlike(
        "misses the texts",
        r"\b(?:hate|sad|sorry|afraid|sucks) (?:\w+ ){0,3}miss(?:ed|ing)?\b[^,]*|\b(?:i|we) (?:stopped|quit|havenot"
        "|have not|didnot|donot|never|no longer|amnot|am not|are not)"
        "(?: been)? (?:get(?:ting)?|got|gotten"
        r"|receiv\w+|seen?|hear|heard|hearing)\b[^,]*",
        about_texts=True,
    ),
    LookAlike(
        "misses the texts",
        r"^(?:\w+ ){0,2}(?:did|have|has) (?:you|yall|the store|they) (?:stop(?:ped)?|quit) (?!already|yet)[^,]*",
        about_texts=True,
    ),
    LookAlike(
        "is sorry",
        rf"\b(?:sorry|apolog\w+|forgive me|forgive)(?: \w+)? (?:for|about) (?:not|never) (?:{TEXTING}|replying"
        rf"|answering|calling)\b[^,]*",
        about_texts=True,
    ),
    LookAlike(
        "is glad of texts",
        r"\b(?:donot|never|not) (?:hesitate|forget|be (?:shy|afraid|a stranger|sorry|worried)"
        "|mind|worry|stress|miss|apologize"
        r"|lose touch)\b[^,]*",
        about_texts=True,
    ),
    LookAlike(
        "one text that is not needed",
        r"\b(?:donot|didnot|no) need (?:a|the|another|to) (?:text|message)\b(?!.*\banymore)[^,]*"
        r"|\bno (?:texts?|messages?|reply|calls?) (?:needed|necessary|required)\b[^,]*",
        about_texts=True,
    ),
    # Visits.
    LookAlike(
        "a visit",
        r"\b(?:stop|stops|stopped|stopping|pit stop|come to a stop) (?:\w+ )?(?:by|in|over"
        "|off|into|at|round|around|through|there"
        "|to (?:pick|get|see|say|drop|look|buy|collect|try|chat|visit)|(?:on|along) (?:the"
        r"|my|our) way)\b[^,]*",
    ),
    LookAlike(
        "a stop on the way",
        r"\b(?:stop|stopping|stopped) (?:off )?(?:first )?(?:for|at) (?!good|now|ever|today|once|all|this|that"
        r"|a while|the moment)\w+",
    ),
    LookAlike(
        "a stop on a journey",
        r"\b(?:bus|subway|train|metro|tram|last|next|first|quick|one|short|brief|our|my"
        "|a|final|another|full|which|what"
        r"|whistle|truck|rest|T) (?:\w+ )?stops?\b(?! (?:all|messages|texts|texting|please))",
    ),
    LookAlike("non-stop", r"\bnon ?stop\b"),
    LookAlike(
        "a part of a watch or a jewel",
        r"\bstop (?:seconds?|watch|work|works|bead|clasp|chain|loss|light|sign)\b|\bstoppers?\b",
    ),
    # Things that stop, or should.
    LookAlike(
        "a thing that stops",
        r"\b(?:watch|clock|ring|clasp|chain|hand|hands|second hand|chronograph|bracelet"
        "|it|he|she|they|we|i|movement|stone|pendant"
        r"|necklace|rain|snow|heart|time|world|crying|tears) (?:\w+ )?(?:stops|stopped"
        "|has stopped|had to stop|keeps? stopping"
        r"|just stopped|will stop|had stopped|wants to stop|started and stopped)\b(?! "
        r"(?:\w+ )?(?:these|texts|messages|me))",
    ),
    LookAlike(
        "a thing to be kept from something",
        r"\b(?:stop|stops|stopping|keep|keeps) (?:(?!text|messag|you\b|yall\b|people)\w+ ){1,4}from"
        r" (?:\w+ing|being)\b[^,]*",
    ),
    LookAlike("a thing that stops", r"\b(?:keeps?|kept|is|was|started|starts|be|been) stopping\b"),
    LookAlike(
        "a thing to be stopped",
        r"\b(?:stop|stops|stopping|put a stop (?:to|on)) (?:the|my|it|its|them|that|this"
        r"|her|his|any|these|a|an|further) (?:\w+"
        r" ){0,2}?(?:from|turning|spinning|moving|tarnish\w*|slipping|wearing|fading|opening"
        "|breaking|falling|rubbing|scratching"
        r"|swelling|ticking|clicking|rattl\w+|twist\w+|catching|snagging|rhodium|rust|stone"
        "|stones|ring|rings|chain|clasp|watch"
        "|pendant|bracelet|earrings?|necklace|payment|check|cheque|bid|bids|auction|chronograph"
        "|timer|date|second|seconds|calendar|layaway|order|delivery|shipment|repair|work"
        "|engraving|resizing|sizing"
        r"|clock|presses|car|alarm|bleeding)\b(?! (?:texts?|messages?|offers?|promos?|ads?"
        r"|alerts?)\b)[^,]*",
    ),
    LookAlike(
        "stops doing something else",
        r"\b(?:stop|stopped|quit) (?!text|messag|send|contact|spam|harass|bother|bugging"
        "|pester|annoy|disturb|bomb|blast|hound|stalk|solicit|blow|call|reach"
        "|notif|remind|ping|writ|trying|sell|shar|advertis|market|push|promot|using|wast"
        "|hitting|every|any|noth|doing|pitch|getting|receiv|hear|coming"
        "|mailing|buzz|bringing|keeping|forward|flood|target|track|follow|all this|something"
        r"|being)\w{2,}ing\b[^,]*",
    ),
    LookAlike(
        "asks where to stop",
        r"\b(?:where|when|which|at what)(?: \w+){1,3} stop (?:the|at|it)\b[^,]*|\bstop at \w+",
    ),
    # Delight.
    LookAlike(
        "cannot stop being delighted",
        r"\b(?:cannot|couldnot|canno|willnot|hasnot|havenot|wouldnot|doesnot|didnot|has"
        " not|have not|never|not|hard to"
        r"|impossible to|unable to) (?:\w+ )?(?:stop|stopped|quit)(?: \w+)? (?!text|messag"
        r"|send|contact|spam)\w+ing\b[^,]*",
    ),
    LookAlike(
        "it does not stop",
        r"(?<!you )\b(?:willnot|doesnot|didnot|wouldnot|hasnot|cannot|couldnot) (?:ever"
        r" )?stop(?:ped)?\b(?! text| messag| send| contact| these| spam)",
    ),
    LookAlike(
        "has to stop something of the own",
        r"\b(?:i|we) (?:\w+ ){0,2}(?:stop|quit|stopped) (?!text|messag|send|getting|receiv"
        r"|contact|sub|subs)\w+ing\b[^,]*",
    ),
    # The end of something else.
    LookAlike(
        "the end of something",
        r"\b(?:the|an|a|its|their|loose|dead|west|east|high|rear|year|week|month|front"
        r"|deep|one|other|that|my|our|will) end\b"
        r"(?! (?:texts?|messages?|all|communications?|to (?:\w+ )?(?:texts?|texting|messages?|messaging)\b))"
        r"|\bend(?:s|ed|ing)? (?:of|up|in"
        r"|on|at|with|s|date|result|user|table)\b",
    ),
    LookAlike(
        "something else is cancelled",
        r"\b(?:cancel|cancelled|cancelling|canceling|canceled|revoke|revoked|end|ended"
        r"|quit|quits|terminate) (?:\w+ ){0,3}?"
        "(?:appointment|appt|order|booking|reservation|visit|viewing|meeting|lunch|hold"
        "|layaway|deposit|repair|engraving"
        "|resizing|delivery|shipment|pick ?up|trip|flight|card|check|payment|insurance"
        "|appraisal|quote|estimate|policy|tomorrow"
        "|today|monday|tuesday|wednesday|thursday|friday|saturday|sunday|job|smoking|drinking"
        "|work|working|school|early"
        r"|service plan|membership|auction|bid|offer on|sale|invitation|rsvp|fitting|polish\w*"
        r"|request)\b"
        r"(?! (?:texts?|messages?|offers?|reminders?))[^,]*",
    ),
    LookAlike("somebody quit a job", r"\b\w+ quit(?: \w+)?(?= ,|$)|\bquit (?:my|his|her|their|the) \w+"),
    LookAlike(
        "opts out of something else",
        r"\bopt(?:ed|ing)? ?out of (?:the |your |my |our )?(?!this\b|it\b|these\b|text|list|messag"
        "|sms|all|promo|market|future|offer|ad|these"
        r"|receiv|get|every|contact|communic|notif|alert|campaign|program|any)[^,]*",
    ),
    LookAlike(
        "another list",
        r"\b(?:take|remove|get|drop|scratch|cross|strike|pull|delete|kick)(?: (?:me|us"
        "|my name|our names?))? (?:off|from|out)(?: of)?(?: the|"
        r" your| this| that)? (?:\w+ ){0,3}?(?:wait ?list|waiting ?list|wait list|guest"
        " ?list|wish ?list|gift ?list|e ?mail(?:ing)? list"
        "|e ?mails?|news ?letters?|catalog(?:ue)?s?(?: list)?|call(?:ing)? list|invitations?"
        "|registry|raffle|drawing|allocation"
        "|queue|line|event|order|invoice|list (?:for|of) (?!text|messag|promo|offer|sms"
        r"|ad|market)\w+|waiting|list to (?:get|buy)\b)[^,]*",
        about_texts=True,
    ),
    LookAlike(
        "another list",
        r"\b(?:unsubscribe|unsubscribed|opt(?:ed|ing)? ?out)(?: me| us)? (?:from |of |to"
        rf" )?(?:the |your |that |all |any )?(?:\w+ )?{ELSEWHERE}[^,]*",
        about_texts=True,
    ),
    LookAlike("a word with another sense", r"\b(?:off|from|out of) (?:the )?(?:wait|waiting|guest) ?list\b"),
    LookAlike(
        "another subscription",
        r"\bunsubscribe is\b[^,]*|\bunsubscribed? from (?!these|this|your|all|the|text|sms|promo|market|everything"
        r"|any|you|it|here|messag|offer|alert)\w+[^,]*",
    ),
    # Jewels: things are taken off, removed, sent, lost.
    LookAlike(
        "an old number or address",
        r"\b(?:delete|remove|erase|forget|lose|drop) (?:my|our|his|her|the|this) (?:\w+"
        " )?(?:old|former|previous|second|other|wrong|landline|home|work)"
        r" (?:\w+ )?(?:number|phone|cell|address|e ?mail|contact)\b[^,]*",
        about_texts=True,
    ),
    LookAlike(
        "work on a jewel",
        r"\b(?:remove|take|delete|erase|lose|drop|get|cancel)(?: off)? (?:\w+ ){0,3}?(?:links?"
        r"|stones?|engraving|scratch\w*|initials|clasp"
        "|inscription|diamonds?|prongs?|dent|dents|tag|photo|photos|picture|pictures|charm"
        "|bezel|tarnish|item|items|piece|weight"
        r"|band|setting|cleaning|price|tax|shipping|address|receipt|appointment)\b[^,]*",
    ),
    LookAlike(
        "a number that is lost or wrong otherwise",
        r"\b(?:might|may|will|would|could|shouldnot|not|to|afraid to|donot|did) (?:i |we"
        r" )?lose (?:my|our|this) (?:number|place|spot|turn)\b"
        r"|\blose (?:my|your|the|our) (?:\w+ )?number\b(?= (?:tag|ticket|in|on|when|for)\b)"
        r"|\blost (?:my|your|the|our) (?:phone|number)\b[^,]*|\bwrong number (?:of|for"
        r"|on|in|, (?:it|its|the|mine))\b[^,]*"
        r"|\b(?:gave|give|given|had|have you|wrote|typed|put|texted|dialed|called|is the"
        "|size is the|tag is the)(?: (?:you|me|down|in|him|her"
        r"|them))? (?:the |a )?wrong number\b[^,]*|\bis (?:this|it) (?:a|the) wrong number\b[^,]*",
        about_texts=True,
    ),
    LookAlike(
        "something is not to be sent",
        rf"\b(?!(?:stop|quit) (?:please )?sending (?:me |us )?(?:it|them)\b)(?:{NOT}|stop|quit) (?:please )?(?:send"
        rf"|mail|ship|sending|mailing|shipping"
        "|deliver)(?: (?:me|us))? (?:any |anymore |more |so many |all |those"
        rf" |these |the |further )*(?:(?!these|this|those|it|to|texts|messages)\w+ )?{GOODS}\b"
        r"(?! (?:texts?|messages?|offers?|promos?|ads?)\b)(?! anymore$)[^,]*",
        about_texts=True,
    ),
    LookAlike(
        "texts instead of calls",
        r"\b(?:stop|quit) calling(?: (?:me|us))? ?,? (?:and |just |only |please |but )*text\b.*",
        about_texts=True,
    ),
    LookAlike(
        "another way of contact",
        rf"(?!donot call (?:list|registry))\b(?:stop|quit|{NOT}|no more|no|end|cease)(?:"
        " (?:sending|send|with|getting|the|me|us|any|more|all|your|paper|printed|those"
        "|these|anymore"
        rf"|want|wants|need|to|receive|get)){{0,5}} {ELSEWHERE}\b(?! (?:and|or|nor) (?:texts?"
        "|messages?))(?! (?:me|us)"
        r" (?:anymore|again|ever))[^,]*",
        about_texts=True,
    ),
    LookAlike(
        "somebody else is not to be told",
        rf"\b(?:{NOT}|stop|no) (?:please )?(?:{TEXT}|{TEXTING}|texts? to|tell|send|call"
        rf"|messages? to) (?:my|our|his|the) (?:\w+ )?{PERSON}\b[^,]*",
        about_texts=True,
    ),
    LookAlike(
        "a time that does not suit",
        rf"\b{NOT} send (?:\w+ )?(?:\w+ )?(?:before|until|till|yet|unless|without|during"
        rf"|while)\b[^,]*|\b{NOT} (?:{TEXT})(?: (?:me|us|back))? (?:\w+ )?(?:before|after"
        "|until|till|while|during|between|tonight|today|tomorrow|this (?:week|morning"
        r"|afternoon|evening)|so (?:early|late)|this (?:early|late)|at night|at (?:\d+"
        r"|noon|midnight)|on (?:\w+days?|the weekends?|sabbath)|and drive"
        r"|when|unless|if|yet|right now|now)\b[^,]*",
        about_texts=True,
    ),
    LookAlike(
        "a text that went astray",
        r"\bwrong (?:person|number|chat|thread|window)\b.*\b(?:meant|intended|that was)\b.*",
        about_texts=True,
    ),
    LookAlike(
        "a new number",
        r"\bmy (?:\w+ )?number (?:has |was |is )?(?:been )?changed\b[^,]*",
        about_texts=True,
    ),
    LookAlike(
        "cannot write now",
        r"\b(?:i|we) (?:donot|cannot|never|shouldnot) (?:text|message|write|reply)(?: "
        r"(?:and|while|when|much|often|well|fast|back|at))\b[^,]*"
        r"|\bdonot (?:text|message|write|reply)(?: me)? back (?:, )?(?=i am |we are |im )",
        about_texts=True,
    ),
    LookAlike(
        "not heard of yet",
        r"\b(?:got|get|getting|received|have|had|saw|see|still|is|are|was|were|why|there)"
        r" no (?:texts?|messages?|offers?)\b[^,]*|\bno (?:texts?|messages?) (?:yet|since|on my|in my|from"
        r"|came|so far|arrived|received)\b[^,]*",
        about_texts=True,
    ),
    # Others who do not leave somebody alone, spam folders, blocked phones.
    LookAlike(
        "spam of others",
        r"\bspam (?:filter|folder|box|blocker)\b[^,]*|\b(?:to|in|into|as|my|for|is"
        r" (?:this|it|that)|was (?:this|it)|thought (?:this|it) was) (?:spam|scam)\b(?<!as"
        r" spam)(?<!for spam)[^,]*|\bmarked as spam (?:by|automatically)\b[^,]*",
        about_texts=True,
    ),
    LookAlike(
        "a phone that was blocked",
        r"\bphone (?:was|is|got|has been) blocked\b[^,]*|\b(?:road|street|card|bank|entrance"
        r"|drain) (?:\w+ )?blocked\b[^,]*",
    ),
    LookAlike(
        "is away",
        r"\b(?:go|going|went|be|am|are|gone) away (?:for|on|to|until|this|next|in|over"
        r"|with|from|,)\b[^,]*|\b(?:we|i|were|i am|we are) (?:are |am )?going away\b",
    ),
    LookAlike(
        "leaves something be",
        r"\bleave (?:it|that|this|the \w+|my (?!wife|husband|mother|mom|mum|father|dad|son|daughter|sister"
        r"|brother|family|kids?|parents?|phone|number)\w+) (?:\w+ )?(?:alone|be|as"
        r"|to|with|at|in|on)\b[^,]*",
    ),
    # Spanish.
    LookAlike("pide que sigan", r"\bno (?:dejen?|dejes|paren?|pares) de\b[^,]*", about_texts=True),
    LookAlike(
        "echa de menos los mensajes",
        r"\b(?:por que|porque) (?:ya )?(?:no|dejaron|dejo|pararon)\b[^,]*",
        about_texts=True,
    ),
    LookAlike(
        "una visita o un reloj",
        r"\b(?:una|mi|la|hago|hare) parada\b|\b(?:se|ha|me) (?:ha )?(?:para|paro|parado)\b[^,]*"
        r"|\bpara (?!de (?:escrib|mand|envi|molest|text|contact|spam|llam)|ya)\w+",
    ),
    LookAlike(
        "otra cosa",
        r"\b(?:cancel\w+|anul\w+|dar de baja|quit\w+|elimin\w+|borr\w+)(?: \w+){0,2} (?:cita"
        r"|pedido|reserva|visita|eslabon\w*|grabado|piedra|foto|fotos|viernes|seguro)\b[^,]*",
    ),
    LookAlike(
        "otra cosa",
        r"\bno (?:quiero|necesito|deseo) (?!mas mensajes|mas textos|mas sms|mas promo|mas"
        " public|mas ofertas|mas nada|mensajes|textos|sms|promo|public|oferta|recib|que"
        r"|seguir|nada|notif|saber|estar)\w+[^,]*",
    ),
    LookAlike(
        "otro canal",
        r"\bno (?:me )?(?:llam|envi|mand)\w*(?: mas)?(?: (?:el|la|los|las|un|una|mi|por"
        r"|a)\b| correos?| emails?| fotos?)[^,]*",
        about_texts=True,
    ),
    # French.
    LookAlike(
        "demande de continuer",
        r"\bn ?arret\w+ (?:pas|jamais)\b[^,]*|\bne (?:cessez|cesse|stoppez|supprimez|retirez"
        r"|me retirez|me desabonnez|me desinscrivez) pas\b[^,]*",
        about_texts=True,
    ),
    LookAlike("regrette les messages", r"\bpourquoi\b[^,]*", about_texts=True),
    LookAlike(
        "une visite ou une montre",
        r"\b(?:je )?(?:m|s|se|me) ?arret\w+(?! de| d )[^,]*|\barret de bus\b|\bun arret\b"
        r"|\bai arrete\b[^,]*",
    ),
    LookAlike(
        "autre chose",
        r"\bannul\w+ (?:\w+ ){0,2}\w+|\b(?:supprim|retir|enlev|effac)\w+ (?:la|le|les|un"
        r"|une|deux|l\w+) (?!numero|liste)\w+[^,]*",
    ),
    LookAlike(
        "autre chose",
        r"\b(?:ne )?(?:m|me|nous) ?envo\w+ (?:pas|plus) (?:la|le|les|l\w+|ma|mon|un|une"
        r"|de (?:photos?|factures?|catalogues?|mails?|e ?mails?|lettres?|bagues?))\b[^,]*",
    ),
    LookAlike(
        "autre chose",
        r"\bplus de (?!vos|ces|tes|leurs|messages?|sms|textos?|pubs?|publicites?|notifications?"
        r"|promos?|promotions?|texto|communications?)\w+[^,]*|\bne veux (?:plus|pas) (?:de"
        r" )?(?:la|le|les|l\w+|cette|ce|bagues?|montres?)\b[^,]*",
    ),
)
