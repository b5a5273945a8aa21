"""How river-valley is shown: branches, the valley, the Hessian's spectrum, schedules side by side."""

from lab.experiments.river_valley.config import COUNTS, SCHEDULES, bigram, branching, schedules, valley
from lab.models.rates import Plan
from lab.views import Bars, Curves, Landscape, Profile, Scatter

BRANCHES = "Each branch drops below the run that goes on: the walls' part leaves, the progress stays."
PARTS = ("hill_loss", "branch_hill", "river_loss", "branch_river")

VIEWS = (
    Curves(("total_loss", "branch_loss"), title="Loss and its decay branches", y_label="L", help=BRANCHES, when=valley),
    Curves(
        ("total_loss", "branch_loss"),
        title="Excess loss and its decay branches",
        y_label="L, less the irreducible",
        y_log=True,  # the drops are small beside what a table starts from
        help=BRANCHES,
        when=bigram,
    ),
    Curves(PARTS, title="Hill and river loss", y_label="L", when=valley),
    Curves(PARTS, title="Hill and river part of the excess loss", y_label="L", y_log=True, when=bigram),
    Curves(("lr", "branch_lr"), title="Learning rate", y_label="η", when=branching),
    Landscape("map", x="map_x", y="map_y", trajectory="walker", title="Valley", z_log=False, z_label="L", when=valley),
    Scatter("walkers_x", "walkers_y", title="Walkers", x_label="x", y_label="y", initial=False, when=valley),
    Scatter(
        "eigenvalue_context",
        "eigenvalue",
        colour="eigenvalue_certain",
        title="Hessian spectrum by context",
        x_label="context, most frequent first",
        y_label="λ",
        y_log=True,
        initial=False,
        when=bigram,
        help="Coloured by certainty: uncertain contexts keep their curvature, certain ones lose it.",
    ),
    Bars(
        "stable_share",
        labels=tuple(f"k = {count}" for count in COUNTS),
        title="Hill share, constant rate",
        y_label="share of |Δθ|²",
        y_range=(0.0, 1.0),
        when=bigram,
    ),
    Bars(
        "decay_share",
        labels=tuple(f"k = {count}" for count in COUNTS),
        title="Hill share, decay",
        y_label="share of |Δθ|²",
        y_range=(0.0, 1.0),
        when=bigram,
    ),
    Scatter(
        "decayed_clock",
        "decayed_loss",
        title="Decayed loss over the clock",
        x_label="Ση",
        y_label="L",
        y_log=True,
        initial=False,
        trails=True,
        when=bigram,
        help="All rates lie nearly on one curve while the river dominates.",
    ),
    Profile(
        "line",
        ("stable_line", "decayed_line"),
        title="Between two checkpoints",
        x_label="position from the earlier to the later",
        y_label="L",
        when=branching,
        primary=False,
    ),
    Curves(("loss_by_rate",), title="Loss of every rate", y_label="L", when=branching, primary=False),
    Curves(
        tuple(f"loss_{name}" for name in SCHEDULES),
        title="Schedules",
        x_label="steps of compute",
        y_label="L, less the irreducible",
        y_log=True,
        when=schedules,
    ),
    Curves(
        tuple(f"lr_{name}" for name in SCHEDULES),
        title="Rates of the schedules",
        x_label="steps of compute",
        y_label="η",
        when=schedules,
    ),
    Bars(
        "schedule_loss",
        labels=Plan.names,
        title="Loss after equal compute",
        y_label="L",
        when=schedules,
        help="All steps count, also those of decayed copies, unless the knob says equal step.",
    ),
    Bars("schedule_spread", labels=Plan.names, title="Spread of that loss", y_label="sd", when=schedules),
    Bars("schedule_clock", labels=Plan.names, title="Clock of the schedules", y_label="Ση", when=schedules),
    Bars(
        "budget_loss",
        labels=tuple(f"{name}, {budget}" for name in Plan.names[:2] for budget in ("1st", "2nd", "3rd")),
        title="Loss at each budget",
        y_label="L",
        when=schedules,
    ),
)
