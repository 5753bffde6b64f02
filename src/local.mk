noinst_LIBRARIES += libosc.a
libosc_a_SOURCES = %D%/base/alloc.c %D%/base/alloc.h %D%/base/digest.c %D%/base/digest.h \
  %D%/base/file.c %D%/base/file.h %D%/base/file_private.h %D%/base/half.h %D%/base/json.c \
  %D%/base/json.h %D%/base/lock.c %D%/base/lock.h %D%/base/mapping.c %D%/base/memory.c \
  %D%/base/memory.h %D%/base/mix.h %D%/base/progress.h %D%/base/spec.c %D%/base/spec.h \
  %D%/base/status.c %D%/base/status.h %D%/base/suggest.c %D%/base/suggest.h %D%/osc.h \
  %D%/tensor/drawn.h %D%/tensor/tensor.c %D%/tensor/tensor.h

include %D%/backend/local.mk
include %D%/quant/local.mk
include %D%/engine/local.mk
include %D%/arch/local.mk
include %D%/store/local.mk
include %D%/text/local.mk
include %D%/record/local.mk

OSC_LIBS = libosc.a $(VEC_LIBS) $(CUDA_LDFLAGS) $(CUDA_LIBS) $(HDF5_LIBS) $(BLAS_LIBS) \
  $(JANSSON_LIBS) $(PCRE2_LIBS) $(ZLIB_LIBS) $(CRYPTO_LIBS)
