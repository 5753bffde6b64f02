libosc_a_SOURCES += %D%/tokenizer.h %D%/corpus.h
