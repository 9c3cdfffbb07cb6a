"""The report: self-contained, escaped, and its words against the numbers they are made of."""

from html.parser import HTMLParser

import pytest

from ppl_pvae.analysis import compare, summarise, write_figures, write_report
from ppl_pvae.analysis.words import convergence_sentence, key_numbers, number, verdict_sentences

VOID = {"meta", "img", "br"}
NAMES = {"program": "poisson", "data": "synthetic", "units": 12, "beta": 1.0, "seed": 0, "steps": 2000, "seconds": 3.2}


class Outline(HTMLParser):
    """Text, sources and open tags of a page."""

    def __init__(self):
        super().__init__()
        self.text, self.links, self.open = [], [], []

    def handle_starttag(self, tag, attrs):
        self.links += [value for key, value in attrs if key in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def figure_files(make_posterior, history, tmp_path_factory):
    """Figures of a small code; which code does not matter to the page."""
    p = make_posterior(images=10, units=4)
    summary = {**summarise(p, 1.0), **NAMES}
    return write_figures(tmp_path_factory.mktemp("figures"), p, history, summary)


@pytest.fixture
def write(make_posterior, figure_files, tmp_path):
    """Write the report of a code and read its outline."""

    def inside(converged=None, **options):
        p = make_posterior(**{"images": 40, "units": 12, **options})
        summary = {**summarise(p, 1.0), **NAMES, "converged": converged, "train_free_energy": 100.0, "slopes": {}}
        write_report(
            tmp_path / "report.html",
            posterior=p,
            summary=summary,
            figures=figure_files,
            settings={"program": "poisson", "out": "<script>alert(1)</script>", "training": {"steps": 2000}},
            versions={"numpy": "2.4"},
            data_info={"source": "planted & known", "licences": [{"name": "a", "licence": "CC0"}]},
        )
        html = (tmp_path / "report.html").read_text(encoding="utf-8")
        outline = Outline()
        outline.feed(html)
        assert outline.open == []
        return html, outline

    return inside


def test_the_page_needs_nothing_from_outside(write):
    html, outline = write()
    assert len(outline.links) == 9
    assert all(link.startswith("data:image/png;base64,") for link in outline.links)
    assert "url(" not in html
    assert "@import" not in html


def test_settings_are_escaped_and_come_last(write):
    html, outline = write()
    assert "<script" not in html
    text = " ".join(outline.text)
    assert "<script>alert(1)</script>" in text
    assert "planted & known" in text
    assert text.index("sending nothing") < text.index("All numbers") < text.index("Settings and versions")
    assert "training.steps" in text


@pytest.mark.parametrize(("converged", "badge"), [(True, "converged"), (False, "not converged"), (None, "not checked")])
def test_the_badge_says_whether_training_arrived(write, converged, badge):
    html, _ = write(converged)
    assert f'<span class="badge {badge.replace(" ", "-")}">{badge}</span>' in html


@pytest.mark.parametrize("options", [{"kind": "rectified"}, {"kind": "gaussian", "shape": None}])
def test_codes_without_spikes_are_not_said_to_spike(write, options):
    text = " ".join(write(**options)[1].text).replace("it has no spikes", "")
    assert "spike" not in text.split("Settings and versions")[0]


def test_a_decoder_without_a_dictionary_says_so(write):
    assert "no dictionary" in write(linear=False)[0]


SUMMARY = {
    "converged": True,
    "spikes_per_image": 153.07,
    "coding_rate": 36.7,
    "r2": 0.384,
    "nats_per_spike": 0.2397,
    "free_energy": 145.12,
    "silent_free_energy": 186.38,
}


def test_the_verdict_by_hand():
    assert verdict_sentences(SUMMARY, True) == (
        "Converged: 153 spikes and 37 nats per image buy R² = 0.38; a spike costs 0.24 nats. "
        "With everything paid an image costs 145.1 nats, 41 less than sending nothing (186.4)."
    )


def test_the_verdict_of_other_codes():
    signed = {**SUMMARY, "nats_per_spike": None, "converged": None}
    assert verdict_sentences(signed, False).startswith(
        "Convergence not checked: an activity of 153 and 37 nats per image buy R² = 0.38. "
    )
    elsewhere = {**SUMMARY, "converged": None, "steps": None}
    assert verdict_sentences(elsewhere, True).startswith("Convergence not known: 153 spikes")
    silent = {**SUMMARY, "spikes_per_image": 0.0, "coding_rate": 0.0, "r2": -1e-9, "free_energy": 186.4}
    assert verdict_sentences(silent, True) == (
        "Converged: the code is silent. It sends nothing and pays 0 nats per image for R² = 0.00. "
        "With everything paid that is as dear as sending nothing (186.4 nats per image)."
    )
    assert verdict_sentences({**SUMMARY, "free_energy": 236.5}, True).endswith("not worth its price.")
    assert "not finite" in verdict_sentences({**SUMMARY, "free_energy": None}, True)


def test_convergence_in_words():
    row = {"free_energy": 140.0, "firing_rate": 0.3, "spikes_per_image": 150.0, "zeros": 0.75}
    verdict = compare(row, {**row, "free_energy": 138.6})
    said = convergence_sentence(verdict.converged, verdict)
    assert "free energy by −1.00% (limit 0.5%)" in said
    assert "--check-convergence" in convergence_sentence(None, None)
    quiet = {**row, "spikes_per_image": 0.0}
    assert "rate" not in convergence_sentence(True, compare(quiet, quiet))


def test_numbers_for_readers():
    assert [number(v) for v in (None, 0.0, 0.23974, -145.125, 1500, 1e-9, 123456.7)] == [
        "–", "0", "0.2397", "−145.1", "1,500", "1.00e-09", "123,456.7",
    ]  # fmt: skip
    assert key_numbers({"zeros": 0.7596, "nats_per_spike": None}, True) == [("zeros", "76.0 %")]
