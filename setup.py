"""Which folders of the checkout become which packages; everything else of the project stands in pyproject.toml.

`assets/` is imported as onedata_assets, so that it takes nobody's name. The contracts, the dbt project and the examples
are data of onedata: an installed wheel holds them below the package.
"""

from setuptools import find_packages, setup

DATA = {
    "dbt_project": ["*.yml", "macros/*", "models/**/*", "balances/*", "seeds/*"],
    "data_contracts": ["*.yaml", "canonical/*", "own/*"],
    "examples": ["*/*.toml", "*/contracts/*"],
}

setup(
    packages=[
        *find_packages(include=["onedata", "onedata.*"]),
        "onedata_assets",
        *(f"onedata.{folder}" for folder in DATA),
    ],
    package_dir={"onedata_assets": "assets", **{f"onedata.{folder}": folder for folder in DATA}},
    package_data={
        "onedata_assets": ["dagster.yaml"],
        "onedata.pages": ["templates/*"],
        "onedata.onboarding": ["retailer/**/*", "words.yaml"],
        **{f"onedata.{folder}": patterns for folder, patterns in DATA.items()},
    },
    include_package_data=False,
)
