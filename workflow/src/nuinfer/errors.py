"""The one exception that tells a user what is wrong with an input and how to mend it."""


class InputError(ValueError):
    """Bad input (configuration, file, number); the message names the thing and the mend.

    Steps print the message without a traceback and end with status 2.
    """
