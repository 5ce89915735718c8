"""What the three functions share; deployed with them.

Values here are NamedTuples: each cold start defines them all anew, and a frozen dataclass takes five times as long
(1.0 ms against 0.2, CPython 3.10). Those that keep a secret out of their printed form stay dataclasses.
"""

import gc

# To load a function makes 30,000 objects that stay, and hours of speech make many more. To look through them for
# rubbish after every 700, as Python does by itself, takes a twentieth of a cold start.
gc.set_threshold(50_000)
