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
libosc_a_SOURCES += %D%/activate.cuh %D%/allocate.c %D%/attend_steps.cu %D%/attention.cu \
  %D%/attention.cuh %D%/attention_few.cu %D%/attention_few.h %D%/attention_wgmma.cu \
  %D%/attention_wgmma.h %D%/backend.c %D%/backend.h %D%/claims.c %D%/codes.c %D%/codes.cuh \
  %D%/codes.h %D%/codes_choice.c %D%/codes_choice.h %D%/codes_few.cu %D%/codes_known.cu \
  %D%/codes_lt.c %D%/codes_measured.h %D%/codes_pair.cu %D%/codes_q8.cu %D%/codes_q8.cuh \
  %D%/codes_q8_few.cu %D%/codes_q8_many.cu %D%/codes_scale.cu \
  %D%/codes_view.c %D%/codes_w.cu %D%/codes_wgmma.cu %D%/codes_x.cu %D%/codes_x.cuh \
  %D%/columns.cuh %D%/convert.cu %D%/device.c %D%/device.h %D%/draw.cu %D%/element.cuh \
  %D%/elementwise.cu %D%/find_hits.cu %D%/flags.cuh %D%/graph.c %D%/head.cu %D%/hits.c \
  %D%/hits.h %D%/known.c %D%/known.h %D%/last.cuh %D%/launch.cuh %D%/load.c %D%/matmul.c \
  %D%/memory.c %D%/mma.cuh %D%/norm.cuh %D%/observe.cu %D%/observer.cuh %D%/product_any.cu \
  %D%/reduction.h %D%/reports.c %D%/reports.h %D%/residual.cu %D%/rms.cu %D%/rotate.cu \
  %D%/rows.cu %D%/several.c %D%/stream.cuh %D%/summary.cu %D%/vector.cu %D%/watch.c \
  %D%/watch.h %D%/wgmma.cuh

# Run by hand, with arguments: it takes minutes.
EXTRA_PROGRAMS += %D%/bench_codes
CLEANFILES     += %D%/bench_codes
%C%_bench_codes_SOURCES = %D%/bench_codes.cu
%C%_bench_codes_LDADD   = $(OSC_LIBS)

-include %D%/$(DEPDIR)/*.cu.Po
DISTCLEANFILES += %D%/$(DEPDIR)/*.cu.Po
endif
EXTRA_DIST += %D%/check_device.sh %D%/bench.sh %D%/bench_tables.py %D%/linear_table.sh
EXTRA_DIST += %D%/bench_torch.py %D%/codes_measured.py
