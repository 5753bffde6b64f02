libosc_a_SOURCES += %D%/alibi.h %D%/backend.h %D%/backends.c %D%/codes.h %D%/cpu.c %D%/cpu.h \
  %D%/cpu_attention.c %D%/cpu_few.c %D%/cpu_i8.c %D%/cpu_i8.h %D%/cpu_i8_code.c \
  %D%/cpu_i8_load.c %D%/cpu_i8_matmul.c %D%/cpu_i8_view.c %D%/cpu_matmul.c %D%/cpu_observe.c \
  %D%/cpu_ops.c %D%/cpu_q8.c %D%/cpu_reduce.c %D%/cpu_rotate.c %D%/cpu_vec.h %D%/stats.c \
  %D%/stats.h

# cpu_vec.c once per instruction set: -O3 and no trapping mathematics so that its
# plain loops become vector code; results are IEEE all the same.
VEC_CFLAGS   = $(AM_CFLAGS) -O3 -fno-math-errno -fno-trapping-math -Wno-psabi
noinst_LIBRARIES += libvec_generic.a
libvec_generic_a_SOURCES  = %D%/cpu_vec.c
libvec_generic_a_CPPFLAGS = $(AM_CPPFLAGS) -DOSC_VEC=generic
libvec_generic_a_CFLAGS   = $(VEC_CFLAGS)
# The int8 products and the loops around them: no contraction, so that every build
# gives the same bits.
I8_CFLAGS = $(VEC_CFLAGS) $(LOOPS_CFLAGS) -ffp-contract=off
noinst_LIBRARIES += libi8_generic.a
libi8_generic_a_SOURCES  = %D%/cpu_i8_loops.c %D%/cpu_i8_portable.c
libi8_generic_a_CPPFLAGS = $(AM_CPPFLAGS) -DOSC_VEC=generic
libi8_generic_a_CFLAGS   = $(I8_CFLAGS)
# Whole-tensor reductions: no contraction either.
REDUCE_CFLAGS = $(VEC_CFLAGS) -ffp-contract=off
noinst_LIBRARIES += libreduce_generic.a
libreduce_generic_a_SOURCES  = %D%/cpu_reduce_vec.c
libreduce_generic_a_CPPFLAGS = $(AM_CPPFLAGS) -DOSC_VEC=generic
libreduce_generic_a_CFLAGS   = $(REDUCE_CFLAGS)
VEC_LIBS = libvec_generic.a libreduce_generic.a libi8_generic.a
if HOST_X86_64
noinst_LIBRARIES += libvec_avx2.a libvec_avx512.a
libvec_avx2_a_SOURCES    = %D%/cpu_vec.c
libvec_avx2_a_CPPFLAGS   = $(AM_CPPFLAGS) -DOSC_VEC=avx2
libvec_avx2_a_CFLAGS     = $(VEC_CFLAGS) -mavx2 -mfma -mf16c
libvec_avx512_a_SOURCES  = %D%/cpu_vec.c
libvec_avx512_a_CPPFLAGS = $(AM_CPPFLAGS) -DOSC_VEC=avx512
libvec_avx512_a_CFLAGS   = $(VEC_CFLAGS) -mavx2 -mfma -mf16c -mavx512f -mavx512dq -mavx512bw -mavx512vl \
  -mprefer-vector-width=512
noinst_LIBRARIES += libreduce_avx2.a libreduce_avx512.a
libreduce_avx2_a_SOURCES    = %D%/cpu_reduce_vec.c
libreduce_avx2_a_CPPFLAGS   = $(AM_CPPFLAGS) -DOSC_VEC=avx2
libreduce_avx2_a_CFLAGS     = $(REDUCE_CFLAGS) -mavx2
libreduce_avx512_a_SOURCES  = %D%/cpu_reduce_vec.c
libreduce_avx512_a_CPPFLAGS = $(AM_CPPFLAGS) -DOSC_VEC=avx512
libreduce_avx512_a_CFLAGS   = $(REDUCE_CFLAGS) -mavx2 -mavx512f -mavx512dq -mavx512bw -mavx512vl \
  -mprefer-vector-width=512
noinst_LIBRARIES += libi8_avx2.a libi8_avx512.a
libi8_avx2_a_SOURCES    = %D%/cpu_i8_loops.c %D%/cpu_i8_avx2.c
libi8_avx2_a_CPPFLAGS   = $(AM_CPPFLAGS) -DOSC_VEC=avx2
libi8_avx2_a_CFLAGS     = $(I8_CFLAGS) -mavx2
libi8_avx512_a_SOURCES  = %D%/cpu_i8_loops.c %D%/cpu_i8_vnni.c
libi8_avx512_a_CPPFLAGS = $(AM_CPPFLAGS) -DOSC_VEC=avx512
libi8_avx512_a_CFLAGS   = $(I8_CFLAGS) -mavx2 -mfma -mavx512f -mavx512dq -mavx512bw -mavx512vl \
  -mavx512vnni -mprefer-vector-width=512
VEC_LIBS += libvec_avx2.a libvec_avx512.a libreduce_avx2.a libreduce_avx512.a libi8_avx2.a libi8_avx512.a
endif
