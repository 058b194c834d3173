class Evolution:
    name = "evolution"
