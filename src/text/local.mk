libosc_a_SOURCES += %D%/tokenizer.h %D%/corpus.h %D%/decoder.h \
  %D%/bpe.c %D%/bpe.h \
  %D%/chars.c %D%/chars.h \
  %D%/decoder.c \
  %D%/documents.c \
  %D%/encode.h \
  %D%/gunzip.c %D%/gunzip.h \
  %D%/lines.c %D%/lines.h \
  %D%/merges.c %D%/merges.h \
  %D%/model.c %D%/model.h \
  %D%/pretoken.c %D%/pretoken.h \
  %D%/protocol.c \
  %D%/settings.c %D%/settings.h \
  %D%/requests.c %D%/requests.h \
  %D%/task.c %D%/task.h %D%/task_build.c %D%/task_build.h \
  %D%/task_hellaswag.c %D%/task_lambada.c %D%/task_piqa.c %D%/task_winogrande.c \
  %D%/tokenizer.c \
  %D%/tokenizer_json.c \
  %D%/tokens.c \
  %D%/utf8.c %D%/utf8.h \
  %D%/vocab.c %D%/vocab.h \
  %D%/windows.c
