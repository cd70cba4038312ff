"""Short forms of given names that do not begin like the long one. Those that do (Rob, Robert) need no list."""

NICKNAMES = {
    short: long
    for long, shorts in {
        "alexander": "sasha sandy xander",
        "andrew": "drew",
        "anthony": "tony",
        "antonio": "toni",
        "charles": "chuck",
        "christopher": "kit",
        "elizabeth": "beth betty lisa liz lizzie bess",
        "eleanor": "nell nora",
        "francesca": "cesca",
        "francisco": "paco pancho",
        "giuseppe": "beppe pino",
        "guadalupe": "lupe",
        "henry": "harry hank",
        "ignacio": "nacho",
        "james": "jim jimmy jamie",
        "johannes": "hans",
        "john": "jack johnny",
        "jose": "pepe",
        "katharina": "kathi kaethe",
        "katherine": "kate katie kitty",
        "margaret": "maggie meg peggy greta",
        "maria": "mia",
        "mary": "molly polly",
        "richard": "dick rick",
        "robert": "bob bobby",
        "sarah": "sally",
        "sebastian": "bastian",
        "theodore": "ted teddy",
        "wilhelm": "willi",
        "william": "bill billy will liam",
    }.items()
    for short in shorts.split()
}
