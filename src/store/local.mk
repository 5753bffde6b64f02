libosc_a_SOURCES += %D%/ahead.c %D%/ahead.h %D%/store.h %D%/stores.c \
  %D%/format.h %D%/weights.c \
  %D%/generated.h %D%/generated.c %D%/region.h %D%/region.c \
  %D%/members.h %D%/members.c \
  %D%/safetensors.c %D%/safetensors_write.c %D%/safetensors_write.h %D%/shards.c \
  %D%/safetensors_entry.h %D%/safetensors_entry.c \
  %D%/zip.h %D%/zip.c \
  %D%/pickle_value.h %D%/pickle_value.c %D%/pickle.h %D%/pickle.c \
  %D%/torch.h %D%/torch.c %D%/torch_objects.h %D%/torch_objects.c \
  %D%/torch_storages.c %D%/torch_tensors.c %D%/torch_stream.c %D%/torch_zip.c
