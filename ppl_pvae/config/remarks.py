"""What can be fitted, and is worth a word all the same: said once, when a fit or a sweep has been planned."""

from collections.abc import Iterable

from ppl_pvae.config.settings import Settings

__all__ = ["about_guess", "about_trade"]


def about_trade(settings: Iterable[Settings]) -> str | None:
    """What is to be said of a β other than 1 where the pixel variance is learned; None where there is none such."""
    betas = sorted({each.beta for each in settings if each.noise == "learned" and each.beta != 1})
    if not betas:
        return None
    return (
        f"beta = {', '.join(f'{beta:g}' for beta in betas)} with a learned variance: the two trade exactly, only beta "
        "times the variance counts; use noise = fixed, or beta = 1."
    )


def about_guess(settings: Iterable[Settings], data: str, guess: tuple[int, int] | None) -> str | None:
    """What is to be said of conv networks on images without a height and a width; None where there are none.

    Parameters
    ----------
    settings
        Of all fits to the data.
    data
        What these are called.
    guess
        (y, x) that flat images were taken to have, None where that is known, or unknown.
    """
    if guess is None or not any("conv" in (each.encoder, each.decoder) for each in settings):
        return None
    y, x = guess
    return (
        f"the conv network takes the {y * x} values of an image of {data} for {y} × {x} pixels, row by row; give "
        "(image, y, x) if that is not so, or use an mlp if they are no picture."
    )
