# The public names: "from module import name as name" makes a name public.
from electra_tf.config.pretraining import ElectraConfig as ElectraConfig
from electra_tf.config.pretraining import PretrainingConfig as PretrainingConfig
from electra_tf.config.pretraining import make_config as make_config
from electra_tf.data.tokenizers.tokenizer import Tokenizer as Tokenizer
from electra_tf.errors import InputError as InputError
from electra_tf.finetune import load_model as load_model
from electra_tf.finetune.models.classifiers import Classifier as Classifier
from electra_tf.finetune.models.classifiers import Regressor as Regressor
from electra_tf.finetune.models.optimizer import (
    create_optimizer as create_optimizer,
)
from electra_tf.finetune.models.ranker import Ranker as Ranker
from electra_tf.finetune.models.sentence_encoder import (
    SentenceEncoder as SentenceEncoder,
)
from electra_tf.finetune.models.span_qa import SpanQA as SpanQA
from electra_tf.finetune.models.tagger import Tagger as Tagger
from electra_tf.finetune.preprocessor import (
    TextPreprocessor as TextPreprocessor,
)
from electra_tf.modeling.attention import EncoderBlock as EncoderBlock
from electra_tf.modeling.embeddings import Embeddings as Embeddings
from electra_tf.modeling.encoder import Encoder as Encoder
from electra_tf.modeling.heads import DiscriminatorHead as DiscriminatorHead
from electra_tf.modeling.heads import MaskedLMHead as MaskedLMHead
from electra_tf.modeling.networks import Discriminator as Discriminator
from electra_tf.modeling.networks import MaskedLM as MaskedLM
from electra_tf.pretrained import PretrainedElectra as PretrainedElectra
from electra_tf.pretrained import from_pretrained as from_pretrained
from electra_tf.pretrained import pseudo_log_likelihood as pseudo_log_likelihood
from electra_tf.pretraining.factory import build_pretrainer as build_pretrainer
from electra_tf.pretraining.masking import TokenMasker as TokenMasker
from electra_tf.pretraining.pretrainer import Pretrainer as Pretrainer
from electra_tf.serving.export import (
    SavedModelEncoder as SavedModelEncoder,
)
from electra_tf.serving.export import export_finetuned as export_finetuned
from electra_tf.serving.model_export import export_model as export_model
from electra_tf.training.adamw import AdamW as AdamW

__version__: str
