# What the installed program ships, in the same folders under $(pkgdatadir).
dist_pkgdata_DATA = %D%/README.md %D%/sampled.txt

mini_2m_step500dir = $(pkgdatadir)/opt-mini-2m-step500
dist_mini_2m_step500_DATA = \
  %D%/opt-mini-2m-step500/config.json %D%/opt-mini-2m-step500/model.safetensors \
  %D%/opt-mini-2m-step500/vocab.json %D%/opt-mini-2m-step500/merges.txt \
  %D%/opt-mini-2m-step500/training.json

mini_2m_step2000dir = $(pkgdatadir)/opt-mini-2m-step2000
dist_mini_2m_step2000_DATA = \
  %D%/opt-mini-2m-step2000/config.json %D%/opt-mini-2m-step2000/model.safetensors \
  %D%/opt-mini-2m-step2000/vocab.json %D%/opt-mini-2m-step2000/merges.txt \
  %D%/opt-mini-2m-step2000/training.json

mini_2mdir = $(pkgdatadir)/opt-mini-2m
dist_mini_2m_DATA = \
  %D%/opt-mini-2m/config.json %D%/opt-mini-2m/model.safetensors \
  %D%/opt-mini-2m/vocab.json %D%/opt-mini-2m/merges.txt %D%/opt-mini-2m/tokenizer.json \
  %D%/opt-mini-2m/training.json

mini_8mdir = $(pkgdatadir)/opt-mini-8m
dist_mini_8m_DATA = \
  %D%/opt-mini-8m/config.json %D%/opt-mini-8m/model.safetensors \
  %D%/opt-mini-8m/vocab.json %D%/opt-mini-8m/merges.txt \
  %D%/opt-mini-8m/training.json

# Samples of the tasks of zeroshot, in the layout of the published files.
zeroshot_winograndedir = $(pkgdatadir)/zeroshot/winogrande
dist_zeroshot_winogrande_DATA = %D%/zeroshot/winogrande/dev.jsonl
zeroshot_hellaswagdir = $(pkgdatadir)/zeroshot/hellaswag
dist_zeroshot_hellaswag_DATA = %D%/zeroshot/hellaswag/hellaswag_val.jsonl
zeroshot_piqadir = $(pkgdatadir)/zeroshot/piqa
dist_zeroshot_piqa_DATA = %D%/zeroshot/piqa/valid.jsonl %D%/zeroshot/piqa/valid-labels.lst
zeroshot_lambadadir = $(pkgdatadir)/zeroshot/lambada
dist_zeroshot_lambada_DATA = %D%/zeroshot/lambada/lambada_test.jsonl

trainingdir = $(pkgdatadir)/training
dist_training_DATA = \
  %D%/training/prep_data.py %D%/training/train_family.py \
  %D%/training/opt-mini-2m.log %D%/training/opt-mini-8m.log
