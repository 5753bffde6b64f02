libosc_a_SOURCES += %D%/store.h %D%/stores.c \
  %D%/format.h %D%/weights.c \
  %D%/members.h %D%/members.c \
  %D%/safetensors.c %D%/shards.c %D%/safetensors_entry.h %D%/safetensors_entry.c
