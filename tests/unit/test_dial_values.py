"""Dials of a file from its name, its card or a table: every number whole, with its sign, or an error."""

from pathlib import Path

import pytest

from nuinfer.errors import InputError
from nuinfer.tuning.sources.dial_values import FromCard, FromName, FromTable, card_parameters, card_setting

DIALS = ("MaCCQE", "NormCCMEC")
NUMBER = r"[-+.\deE]+"
BY_NAME = FromName(rf"MaCCQE_(?P<MaCCQE>{NUMBER})_NormCCMEC_(?P<NormCCMEC>{NUMBER})")


@pytest.mark.parametrize(
    "name, expected",
    [
        ("MaCCQE_1.0_NormCCMEC_1.5.root", (1.0, 1.5)),
        ("run7_MaCCQE_-2.5e-03_NormCCMEC_+4E2.root", (-2.5e-3, 400.0)),
        ("MaCCQE_-.5_NormCCMEC_7", (-0.5, 7.0)),
    ],
)
def test_dials_from_the_name(name, expected):
    assert BY_NAME.columns == DIALS
    assert BY_NAME.values(Path("some/MaCCQE_9_NormCCMEC_9") / name) == expected


@pytest.mark.parametrize(
    "pattern, name, message",
    [
        (BY_NAME.pattern, "other.root", "does not match"),
        (BY_NAME.pattern, "MaCCQE_1.2.3_NormCCMEC_1.root", "MaCCQE in the name: '1.2.3' is not a finite number"),
        (BY_NAME.pattern, "MaCCQE_1_NormCCMEC_1,5.root", "NormCCMEC = '1' is part of a longer number"),
        (r"Ma_.*(?P<Ma>[\d.]+)", "Ma_12.5.root", "Ma = '5' is part of a longer number"),
        (r"Ma_.*?(?P<Ma>[\d.]+)", "Ma_-1.5.root", "'-' stands before Ma = '1.5'"),
        (r"Ma_.*?(?P<Ma>[\d.]+)", "Ma_+1.5.root", "sign included"),
        (r"Ma_(?P<Ma>\d+)", "Ma_1p5.root", "Ma = '1' is part of a longer number"),
        (r"Ma_.*(?P<Ma>\d)", "Ma_1p5.root", "Ma = '5' is part of a longer number"),
        (r"Ma_.*(?P<Ma>\d)", "Ma_1e5.root", "Ma = '5' is part of a longer number"),
        (r"Ma_.*(?P<Ma>\d)", "Ma_1e+5.root", "Ma = '5' is part of a longer number"),
        (r"Ma_(?P<Ma>[\d.]+)", "Ma_1e-3.root", "part of a longer number"),
        (r"Ma(_(?P<Ma>\d))?", "Max.root", "Ma in the name: '' is not a finite number"),
        (r"Ma_(?P<Ma>\w+)", "Ma_1_000.root", "not a finite number"),
        (r"Ma_(?P<Ma>\w+)", "Ma_nan.root", "not a finite number"),
    ],
)
def test_a_name_is_read_whole_or_refused(pattern, name, message):
    with pytest.raises(InputError, match=message):
        FromName(pattern).values(Path(name))


def test_a_hyphen_before_a_number_is_a_sign_or_refused():
    with pytest.raises(InputError, match=r"'-' stands before Ma = '1\.5' .*: a sign, or a separator\? Take it into the group"):
        FromName(r"Ma-(?P<Ma>[\d.]+)").values(Path("Ma-1.5.root"))
    assert FromName(r"Ma(?P<Ma>-[\d.]+)").values(Path("Ma-1.5.root")) == (-1.5,)
    assert FromName(r"Ma_(?P<Ma>[\d.]+)-").values(Path("Ma_1.5-run.root")) == (1.5,)
    assert FromName(r"Ma_(?P<Ma>[\d.]+)p").values(Path("Ma_1.5pb.root")) == (1.5,)


def test_patterns_that_cannot_be_are_refused():
    with pytest.raises(InputError, match="is no regular expression"):
        FromName(r"(?P<a>[")
    with pytest.raises(InputError, match="names no dial"):
        FromName(r"(\d+)")


XML = """<!-- made by hand -->
<nuisance>
  <config GENIETune="G18_10a_02_11a"/> <config setabstwk="1" UseSVDInverse="1"/>
  <parameter name="NormCCMEC" type="genie_parameter" nominal="-1.25e-2" low="-2" high="4" step="0.5" state="FREE"/>
  <parameter name="MaCCQE" type="genie_parameter" nominal="0.1"/>
  <sample name="T2K_CC0pi_XSec_2DPcos_nu_I" input="GENIE:gntp.nuis.root" mask_mom_overflow="1" type="FIX/DIAG"/>
</nuisance>"""
TEXT = """# type name nominal low high step state
genie_parameter NormCCMEC -1.25e-2 -2 4 0.5 FREE
genie_parameter MaCCQE 0.1 FIX  # fixed
config setabstwk 1
sample T2K_CC0pi_XSec_2DPcos_nu_I GENIE:gntp.nuis.root
"""


@pytest.mark.parametrize("text, template", [(XML, "{stem}.xml"), (TEXT, "{stem}.card"), (XML, "../cards/{name}.xml")])
def test_dials_from_the_card(tmp_path, text, template):
    path = tmp_path / "throw.root"
    (tmp_path.parent / "cards").mkdir(exist_ok=True)
    card = tmp_path / template.format(stem="throw", name="throw.root")
    card.write_text(text)
    dials = FromCard(DIALS, template)
    assert dials.columns == DIALS and dials.values(path) == (0.1, -0.0125)
    assert card_parameters(card) == {"NormCCMEC": -0.0125, "MaCCQE": 0.1}
    assert card_setting(card, "setabstwk") == "1" and card_setting(card, "GENIEWeightEngine_CCQEMode") is None
    with pytest.raises(InputError, match=r"no parameter RPA_CCQE; there are NormCCMEC, MaCCQE"):
        FromCard(("MaCCQE", "RPA_CCQE"), template).values(path)
    card.unlink()
    with pytest.raises(InputError, match="no such card"):
        dials.values(path)


@pytest.mark.parametrize(
    "text, message",
    [
        ("<nuisance><parameter", "not well-formed XML"),
        ('<nuisance><parameter name="MaCCQE" type="t"/></nuisance>', "a parameter without name or nominal"),
        ('<nuisance><parameter name="MaCCQE" nominal="1,5"/></nuisance>', "MaCCQE: '1,5' is not a finite number"),
        (XML.replace('"FREE"', '"FREE/FRAC"'), "NormCCMEC has state FREE/FRAC"),
        (XML.replace("MaCCQE", "ZExpA1CCQE").replace('"0.1"', '"0.1" state="ABS"'), "ZExpA1CCQE has state ABS"),
        (XML.replace("MaCCQE", "NormCCMEC"), "NormCCMEC has two values, -0.0125 and 0.1"),
        ("genie_parameter MaCCQE\n", "line 1: .* needs a name and a value"),
        ("", r"no parameter MaCCQE, NormCCMEC; there are none"),
    ],
)
def test_bad_cards_name_the_card(tmp_path, text, message):
    (tmp_path / "a.xml").write_text(text)
    with pytest.raises(InputError, match=rf"a\.xml: {message}"):
        FromCard(DIALS).values(tmp_path / "a.root")


def test_an_absolute_state_of_other_dials_is_the_dial(tmp_path):
    (tmp_path / "a.xml").write_text(XML.replace('"FREE"', '"ABSFREE"'))
    assert card_parameters(tmp_path / "a.xml")["NormCCMEC"] == -0.0125


@pytest.mark.parametrize("text, sets", [(XML, True), (TEXT, True), (XML.replace("setabstwk", "other"), False)])
def test_a_card_of_the_other_convention_is_refused(tmp_path, text, sets):
    (tmp_path / "a.xml").write_text(text)
    for absolute in (None, sets):
        assert FromCard(DIALS, absolute=absolute).values(tmp_path / "a.root") == (0.1, -0.0125)
    says = "setabstwk is set, .*give convention: absolute" if sets else "setabstwk is not set, .*give reweight3 or reweight2"
    with pytest.raises(InputError, match=rf"a\.xml: {says}"):
        FromCard(DIALS, absolute=not sets).values(tmp_path / "a.root")


def test_a_setting_with_two_values_is_refused(tmp_path):
    (tmp_path / "a.xml").write_text('<nuisance><config setabstwk="0"/><config setabstwk="1"/></nuisance>')
    with pytest.raises(InputError, match="setabstwk has two values, 0 and 1"):
        card_setting(tmp_path / "a.xml", "setabstwk")
    with pytest.raises(InputError, match=r"use only {stem} and {name}"):
        FromCard(DIALS, "{number}.xml")
    with pytest.raises(InputError, match="no dial is named"):
        FromCard(())


def test_dials_from_a_table(tmp_path):
    table = tmp_path / "dials.csv"
    table.write_text("# throws\nNormCCMEC,file,MaCCQE\n1.5, a.root,-2e-1\n\n-.25,b,3\n0,deep/c.root,1\n")
    found = FromTable(table)
    assert found.columns == ("NormCCMEC", "MaCCQE")
    assert found.values(Path("x/a.root")) == (1.5, -0.2) and found.values(Path("y/b.root")) == (-0.25, 3.0)
    assert found.values(Path("deep/c.root")) == (0.0, 1.0)
    with pytest.raises(InputError, match=r"other/c\.root: no row in"):
        found.values(Path("other/c.root"))
    assert FromTable(table, ("MaCCQE",)).values(Path("a.root")) == (-0.2,)


@pytest.mark.parametrize(
    "text, message",
    [
        ("name,Ma\na,1\n", "no column file, NormCCMEC; there are name, Ma"),
        ("file,Ma\na,1\n", "no column NormCCMEC"),
        ("file,Ma,NormCCMEC\na,1,2\nb,1\n", "line 3 has 2 entries for 3 columns"),
        ("file,Ma,NormCCMEC\na,1,2\na,1,3\n", "line 3: the file a stands there twice"),
        ("file,Ma,NormCCMEC\na,1,x\n", "line 2: NormCCMEC: 'x' is not a finite number"),
        ("file,Ma,Ma,NormCCMEC\na,1,1,2\n", "two columns have the same name"),
        ("", "no column file, Ma, NormCCMEC; there are none"),
    ],
)
def test_bad_tables_name_the_line(tmp_path, text, message):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(InputError, match=rf"t\.csv: {message}"):
        FromTable(tmp_path / "t.csv", ("Ma", "NormCCMEC")).values(Path("a.root"))
