libosc_a_SOURCES += %D%/store.h %D%/stores.c \
  %D%/format.h %D%/weights.c \
  %D%/generated.h %D%/generated.c %D%/region.h %D%/region.c \
  %D%/members.h %D%/members.c \
  %D%/safetensors.c %D%/safetensors_write.c %D%/safetensors_write.h %D%/shards.c \
  %D%/safetensors_entry.h %D%/safetensors_entry.c
