libosc_a_SOURCES += %D%/tokenizer.h %D%/corpus.h %D%/decoder.h \
  %D%/added.c %D%/added.h \
  %D%/bpe.c %D%/bpe.h \
  %D%/chars.c %D%/chars.h \
  %D%/decoder.c \
  %D%/decoding_json.c \
  %D%/definition.c %D%/definition.h \
  %D%/documents.c \
  %D%/encode.c %D%/encode.h \
  %D%/gunzip.c %D%/gunzip.h \
  %D%/lines.c %D%/lines.h \
  %D%/merges.c %D%/merges.h \
  %D%/model.h \
  %D%/pipeline.c %D%/pipeline.h \
  %D%/pipeline_json.c \
  %D%/pretoken.c %D%/pretoken.h \
  %D%/protocol.c \
  %D%/published.c \
  %D%/pyrandom.c %D%/pyrandom.h \
  %D%/settings.c \
  %D%/tokenizer.c \
  %D%/tokenizer_json.c \
  %D%/tokens.c \
  %D%/utf8.c %D%/utf8.h \
  %D%/vocab.c %D%/vocab.h \
  %D%/windows.c %D%/windows.h
