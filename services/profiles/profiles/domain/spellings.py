"""Given names that are one name in neighbouring languages, or spelled in several ways. Data; must not decide anything.

Source: compiled for Carnet from everyday use; no published list was copied. What is short for what stands in
profiles/nicknames.py, which search uses too; there Juan is not John, here one person may have said either.
"""

from collections.abc import Mapping

_GROUPS = """
alexander aleksandr alejandro alessandro alexandre
alexandra aleksandra alejandra alessandra
alfred alfredo
andrew andreas andres andre andrei
ann anna anne ana anya
anthony antonio anton antoine
arthur arturo
catherine katherine kathryn katarina katarzyna catalina caterina katharina karen ekaterina yekaterina
charles carlos carlo karl carl
christina christine kristina kristin cristina
christopher christoph cristobal
daniela danielle
dominic dominik domingo
edward eduardo edoardo
elena helen helena helene ellen
elizabeth elisabeth elisabetta isabel isabella isabelle
emily emilia emilie
eugene eugenio yevgeni
florence florencia
frances francesca francisca
francis francisco francesco franz francois
frederick frederic federico friedrich
gabriela gabriella gabrielle
george jorge giorgio georg
gerald gerardo gerhard
gregory gregorio gregor
henry enrique enrico heinrich henri
jacob jakob giacomo
james jaime diego
jeffrey geoffrey
john juan giovanni johann johannes jean ivan hans joao jan
joseph jose giuseppe josef
julia giulia julie yulia
lawrence laurence lorenzo
leonard leonardo
louis luis luigi ludwig lewis
louise luisa
lucy lucia
madeleine madeline magdalena
margaret margarita margherita margarete margarethe
maria mary marie mariam miriam
martin martino
matthew mateo matteo matthias mateusz
michael miguel michele michel mikhail michal
nicholas nicolas nikolaus nikolai niccolo
patrick patricio
paul pablo paolo pavel pawel
peter pedro pietro petr piotr pierre
philip phillip felipe filippo
raymond ramon raimondo
richard ricardo riccardo
robert roberto
sara sarah
sophia sophie sofia
stephanie estefania stefanie
stephen steven stefan stefano esteban etienne
susan susanna susanne suzanne susana
teresa theresa therese
theodore teodoro
thomas tomas tommaso
vincent vicente vincenzo
victor vittorio
victoria vittoria
william guillermo guglielmo wilhelm guillaume
"""

# A spelling's first one of its line, for all but those themselves.
SAME_NAMES: Mapping[str, str] = {
    other: first for first, *others in map(str.split, _GROUPS.split("\n")[1:-1]) for other in others
}
