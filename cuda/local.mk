# automake does not know .cu; a suffix rule is all it needs.
SUFFIXES = .cu

AM_V_NVCC    = $(am__v_NVCC_@AM_V@)
am__v_NVCC_  = $(am__v_NVCC_@AM_DEFAULT_V@)
am__v_NVCC_0 = @echo "  NVCC    " $@;
am__v_NVCC_1 =
AM_NVCCFLAGS = -std=c++17 -O3 -lineinfo $(NVCC_GENCODE) --compiler-options=-Wall,-Wextra
.cu.o:
	$(AM_V_NVCC)$(MKDIR_P) $(@D)/$(DEPDIR) && $(NVCC) $(DEFS) $(DEFAULT_INCLUDES) $(AM_CPPFLAGS) \
	  $(CPPFLAGS) $(AM_NVCCFLAGS) $(NVCCFLAGS) -MMD -MP -MF $(@D)/$(DEPDIR)/$(*F).cu.Po -MT $@ \
	  -c -o $@ $<

if HAVE_CUDA
libosc_a_SOURCES += %D%/device.h %D%/device.c %D%/backend.h %D%/backend.c \
  %D%/memory.c %D%/load.c %D%/matmul.c %D%/hits.h %D%/hits.c \
  %D%/element.cuh %D%/activate.cuh %D%/mma.cuh \
  %D%/convert.cu %D%/rows.cu %D%/elementwise.cu %D%/product_any.cu %D%/head.cu \
  %D%/attention.cuh %D%/attention.cu %D%/attention_wgmma.h %D%/attention_wgmma.cu \
  %D%/attend_steps.cu %D%/observe.cu \
  %D%/codes.h %D%/codes.c %D%/codes_view.c %D%/codes_lt.c \
  %D%/codes.cuh %D%/codes_x.cuh %D%/codes_x.cu %D%/codes_w.cu %D%/codes_scale.cu \
  %D%/codes_pair.cu %D%/codes_few.cu %D%/wgmma.cuh %D%/codes_wgmma.cu %D%/codes_q8.cu

# Run by hand, with arguments: it takes minutes.
EXTRA_PROGRAMS += %D%/bench_codes
CLEANFILES     += %D%/bench_codes
%C%_bench_codes_SOURCES = %D%/bench_codes.cu
%C%_bench_codes_LDADD   = $(OSC_LIBS)

-include %D%/$(DEPDIR)/*.cu.Po
DISTCLEANFILES += %D%/$(DEPDIR)/*.cu.Po
endif
EXTRA_DIST += %D%/check_device.sh %D%/linear_table.sh
