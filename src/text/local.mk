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
  %D%/tokenizer.c \
  %D%/tokenizer_json.c \
  %D%/tokens.c \
  %D%/utf8.c %D%/utf8.h \
  %D%/vocab.c %D%/vocab.h \
  %D%/windows.c
