libosc_a_SOURCES += %D%/added.c %D%/added.h %D%/bpe.c %D%/bpe.h %D%/chars.c %D%/chars.h \
  %D%/corpus.h %D%/decoder.c %D%/decoder.h %D%/decoding_json.c %D%/definition.c %D%/definition.h \
  %D%/documents.c %D%/encode.c %D%/encode.h %D%/gunzip.c %D%/gunzip.h %D%/lines.c %D%/lines.h \
  %D%/merges.c %D%/merges.h %D%/model.h %D%/pipeline.c %D%/pipeline.h %D%/pipeline_json.c \
  %D%/pretoken.c %D%/pretoken.h %D%/protocol.c %D%/published.c %D%/pyrandom.c %D%/pyrandom.h \
  %D%/requests.c %D%/requests.h %D%/settings.c %D%/task.c %D%/task.h %D%/task_build.c \
  %D%/task_build.h %D%/task_hellaswag.c %D%/task_lambada.c %D%/task_piqa.c %D%/task_winogrande.c \
  %D%/tokenizer.c %D%/tokenizer.h %D%/tokenizer_json.c %D%/tokens.c %D%/utf8.c %D%/utf8.h \
  %D%/vocab.c %D%/vocab.h %D%/windows.c %D%/windows.h
