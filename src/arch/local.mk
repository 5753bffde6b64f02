libosc_a_SOURCES += %D%/archs.c %D%/blocks.c %D%/blocks.h %D%/bloom.c %D%/gpt2.c %D%/gptj.c \
  %D%/llama.c %D%/opt.c %D%/settings.c %D%/settings.h
