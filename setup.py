"""Packaging; tool settings stand in pyproject.toml."""

import pathlib

from setuptools import find_packages, setup

REPORT = ["matplotlib>=3.8", "jinja2>=3.1"]
# Beam before 2.69 caps protobuf below what TensorFlow 2.21 needs.
BEAM = ["apache-beam>=2.69,<3"]
DASK = ["distributed>=2025.1"]
SENTENCEPIECE = ["sentencepiece>=0.2"]
PARQUET = ["pyarrow>=16"]
ZSTD = ["zstandard>=0.22"]
JA = [
    "fugashi>=1.3",
    "unidic-lite>=1.0.8",
    "sudachipy>=0.7",
    "sudachidict-core>=20240409",
]
SERVING = ["tensorflow-serving-api>=2.20,<2.22"]
# Before 1.17 it excluded the protobuf of TensorFlow 2.21.
ONNX = ["tf2onnx>=1.17", "onnx>=1.16", "onnxruntime>=1.19"]
LITERT = ["ai-edge-litert>=1.2"]
OPENVINO = ["openvino>=2024.4"]
DEMO = ["starlette>=0.40", "uvicorn>=0.30", "httpx>=0.27", "jinja2>=3.1"]
# Before 0.4.3 its NumPy interface did not read bfloat16.
CONVERT = ["safetensors>=0.4.3", "huggingface_hub>=0.20"]
# Beside convert_weights.py --verify alone.
VERIFY = ["torch>=2.2", "transformers>=4.40"]
TEST = [
    "pytest>=8",
    "pytest-xdist>=3.7",
    "hypothesis>=6",
    "pandas>=2.2",
    "selenium>=4",
    "pyyaml>=6",
]
LINT = ["ruff>=0.9", "mypy>=1.15"]
# safetensors: files of adapters.
FINETUNE = [
    "scikit-learn>=1.4",
    "scipy>=1.11",
    "seqeval>=1.2.2",
    "safetensors>=0.4.3",
]

setup(
    name="electra_tf",
    version="0.1.0",
    description="ELECTRA for TensorFlow and Keras 3",
    long_description=pathlib.Path("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    # The flagfiles stand at the top, and go into the package as well.
    packages=[
        *find_packages(include=["electra_tf", "electra_tf.*"]),
        "electra_tf.configs",
    ],
    package_dir={"electra_tf.configs": "configs"},
    package_data={
        "electra_tf": ["py.typed", "*.pyi", "assets/**/*", "*/templates/*"],
        "electra_tf.configs": ["**/*.flags"],
    },
    python_requires=">=3.11",
    install_requires=[
        "tensorflow>=2.20,<2.22",
        "tensorflow-text>=2.20,<2.22",
        "keras>=3.12",
        "tensorflow-datasets>=4.9.9",
        "keras-nlp>=0.25",
        "importlib_resources>=6.0",
        "absl-py>=2.1",
        "numpy>=1.26",
        "h5py>=3.11",
        "ml_dtypes>=0.4",
        "tensorboard>=2.19",
        "tqdm>=4.66",
    ],
    extras_require={
        "gpu": ["tensorflow[and-cuda]>=2.20,<2.22"],
        "report": REPORT,
        "beam": BEAM,
        "dask": DASK,
        "parquet": PARQUET,
        "zstd": ZSTD,
        "sentencepiece": SENTENCEPIECE,
        "serving": SERVING,
        "onnx": ONNX,
        "litert": LITERT,
        "openvino": OPENVINO,
        "demo": DEMO,
        "finetune": FINETUNE,
        "convert": CONVERT,
        "verify": [*CONVERT, *VERIFY],
        "ja": JA,
        "test": [
            *TEST,
            *LINT,
            *REPORT,
            *BEAM,
            *DASK,
            *PARQUET,
            *ZSTD,
            *SENTENCEPIECE,
            *SERVING,
            *ONNX,
            *LITERT,
            *OPENVINO,
            *DEMO,
            *FINETUNE,
            *CONVERT,
            *JA,
        ],
    },
    entry_points={
        "console_scripts": [
            "electra-pretrain = electra_tf.cli.pretrain:pretrain",
            "electra-evaluate = electra_tf.cli.pretrain:evaluate_pretraining",
            "electra-count-flops = electra_tf.cli.pretrain:count_flops",
            "electra-check-device = electra_tf.cli.pretrain:check_device",
            "electra-finetune = electra_tf.cli.finetune:finetune",
            "electra-compare = electra_tf.cli.finetune:compare_objectives",
            "electra-build-data = electra_tf.cli.records:"
            "build_pretraining_data",
            "electra-verify-records = electra_tf.cli.records:verify_records",
            "electra-train-vocab = electra_tf.cli.vocabulary:train_vocab",
            "electra-report = electra_tf.cli.pages:report",
            "electra-demo = electra_tf.cli.pages:demo",
            "electra-acceptability = electra_tf.cli.acceptability:"
            "evaluate_acceptability",
            "electra-predict = electra_tf.cli.predict:predict",
            "electra-score-text = electra_tf.cli.weights:score_text",
            "electra-export = electra_tf.cli.export_saved_model:"
            "export_saved_model",
            "electra-verify = electra_tf.cli.export_saved_model:"
            "verify_saved_model",
            "electra-convert = electra_tf.cli.weights:convert_weights",
        ]
    },
)
