# What a kernel started by execnb.py or by the tests runs before its first cell, see ENVIRONMENT there. It may
# search for garbage as rarely as garbage.py lets other processes; no name is left among those of the cells.
__import__("gc").set_threshold(50_000, 20, 100)
