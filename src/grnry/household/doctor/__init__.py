"""`grnry doctor`: looks at everything that Granary stands on, and says what is wrong with it.

Each module looks at one part and answers findings; nothing is changed by looking.
"""
