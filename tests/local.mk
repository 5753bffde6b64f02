SCRIPT_TESTS = %D%/layers.sh %D%/slurm.sh %D%/test_ablate.sh %D%/test_architectures.sh \
  %D%/test_cli.sh %D%/test_compare.sh %D%/test_coverage.sh %D%/test_dry_run.sh \
  %D%/test_emergence_command.sh %D%/test_faults.sh %D%/test_faults_hdf5.sh \
  %D%/test_faults_system.sh %D%/test_generate.sh %D%/test_kill.sh %D%/test_merge.sh \
  %D%/test_nonfinite.sh %D%/test_outliers.sh %D%/test_outputs.sh %D%/test_report.sh \
  %D%/test_sweep.sh %D%/test_terminal.sh %D%/test_zeroshot.sh
TESTS = $(check_PROGRAMS) $(SCRIPT_TESTS)
TEST_EXTENSIONS = .sh
SH_LOG_COMPILER = $(SHELL)
dist_check_SCRIPTS += $(SCRIPT_TESTS)
EXTRA_DIST += %D%/command.sh %D%/faults.sh
AM_TESTS_ENVIRONMENT = ASAN_OPTIONS=protect_shadow_gap=0:$$ASAN_OPTIONS; export ASAN_OPTIONS; \
  LSAN_OPTIONS=suppressions='$(srcdir)/%D%/fuzz/suppressions':print_suppressions=0:$$LSAN_OPTIONS; \
  export LSAN_OPTIONS; \
  OSC_TESTS='$(srcdir)/%D%'; export OSC_TESTS; OSC_SHARE='$(srcdir)/share'; export OSC_SHARE; \
  OMP_WAIT_POLICY=passive; export OMP_WAIT_POLICY;

LOG_DRIVER    = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh --merge
SH_LOG_DRIVER = $(LOG_DRIVER)

TEST_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
TEST_LIBS   = $(OSC_LIBS) $(CHECK_LIBS)

EXTRA_DIST += %D%/data/README.md %D%/data/layers.h5 %D%/data/layers.py \
  %D%/data/models %D%/data/reference %D%/data/safetensors %D%/data/statistics \
  %D%/data/synth.py %D%/data/text %D%/data/tokenizers %D%/data/torch

# Not a test: runs a command for test_dry_run.sh.
EXTRA_PROGRAMS += %D%/peak
CLEANFILES     += %D%/peak
%C%_peak_SOURCES = %D%/peak.c
%D%/test_dry_run.log: %D%/peak$(EXEEXT)

if HAVE_CHECK
# Not a test either: compares records for the scripts.
EXTRA_PROGRAMS += %D%/record_equal
CLEANFILES     += %D%/record_equal
%C%_record_equal_SOURCES = %D%/record_equal.c $(RECORD_SIM)
%C%_record_equal_CFLAGS  = $(TEST_CFLAGS)
%C%_record_equal_LDADD   = $(TEST_LIBS)
%D%/test_faults_system.log %D%/test_kill.log: %D%/record_equal$(EXEEXT)

check_PROGRAMS += %D%/test_base
%C%_test_base_SOURCES = %D%/test_base.c %D%/run.h
%C%_test_base_CFLAGS  = $(TEST_CFLAGS)
%C%_test_base_LDADD   = $(TEST_LIBS)

check_PROGRAMS += %D%/test_backend
%C%_test_backend_SOURCES = %D%/test_backend.c %D%/near.h %D%/run.h
%C%_test_backend_CFLAGS  = $(TEST_CFLAGS)
%C%_test_backend_LDADD   = $(TEST_LIBS)

check_PROGRAMS += %D%/test_store
%C%_test_store_SOURCES = %D%/test_store.c %D%/checkpoint.h %D%/files.h %D%/paths.h %D%/run.h
%C%_test_store_CFLAGS  = $(TEST_CFLAGS)
%C%_test_store_LDADD   = $(TEST_LIBS)

check_PROGRAMS += %D%/test_safetensors
%C%_test_safetensors_SOURCES = %D%/test_safetensors.c %D%/checkpoint.h %D%/files.h %D%/paths.h \
  %D%/run.h
%C%_test_safetensors_CFLAGS  = $(TEST_CFLAGS)
%C%_test_safetensors_LDADD   = $(TEST_LIBS)

check_PROGRAMS += %D%/test_tokenizer
%C%_test_tokenizer_SOURCES = %D%/test_tokenizer.c %D%/text.h %D%/files.h %D%/paths.h %D%/run.h
%C%_test_tokenizer_CFLAGS  = $(TEST_CFLAGS)
%C%_test_tokenizer_LDADD   = $(TEST_LIBS)

check_PROGRAMS += %D%/test_tokenizer_files
%C%_test_tokenizer_files_SOURCES = %D%/test_tokenizer_files.c %D%/text.h %D%/files.h %D%/paths.h \
  %D%/run.h
%C%_test_tokenizer_files_CFLAGS  = $(TEST_CFLAGS)
%C%_test_tokenizer_files_LDADD   = $(TEST_LIBS)

check_PROGRAMS += %D%/test_decoder
%C%_test_decoder_SOURCES = %D%/test_decoder.c %D%/text.h %D%/files.h %D%/paths.h %D%/run.h
%C%_test_decoder_CFLAGS  = $(TEST_CFLAGS)
%C%_test_decoder_LDADD   = $(TEST_LIBS)

check_PROGRAMS += %D%/test_tokenizer_kinds
%C%_test_tokenizer_kinds_SOURCES = %D%/test_tokenizer_kinds.c %D%/text.h %D%/files.h %D%/paths.h \
  %D%/run.h
%C%_test_tokenizer_kinds_CFLAGS  = $(TEST_CFLAGS)
%C%_test_tokenizer_kinds_LDADD   = $(TEST_LIBS)

check_PROGRAMS += %D%/test_documents
%C%_test_documents_SOURCES = %D%/test_documents.c %D%/text.h %D%/files.h %D%/paths.h %D%/run.h
%C%_test_documents_CFLAGS  = $(TEST_CFLAGS)
%C%_test_documents_LDADD   = $(TEST_LIBS)

check_PROGRAMS += %D%/test_corpus
%C%_test_corpus_SOURCES = %D%/test_corpus.c %D%/text.h %D%/files.h %D%/paths.h %D%/run.h
%C%_test_corpus_CFLAGS  = $(TEST_CFLAGS)
%C%_test_corpus_LDADD   = $(TEST_LIBS)

check_PROGRAMS += %D%/test_hooks
%C%_test_hooks_SOURCES = %D%/test_hooks.c %D%/run.h
%C%_test_hooks_CFLAGS  = $(TEST_CFLAGS)
%C%_test_hooks_LDADD   = $(TEST_LIBS)

check_PROGRAMS += %D%/test_engine
%C%_test_engine_SOURCES = %D%/test_engine.c %D%/paths.h %D%/reference.h %D%/run.h
%C%_test_engine_CFLAGS  = $(TEST_CFLAGS)
%C%_test_engine_LDADD   = $(TEST_LIBS)

check_PROGRAMS += %D%/test_config
%C%_test_config_SOURCES = %D%/test_config.c %D%/paths.h %D%/reference.h %D%/run.h
%C%_test_config_CFLAGS  = $(TEST_CFLAGS)
%C%_test_config_LDADD   = $(TEST_LIBS)

check_PROGRAMS += %D%/test_arch
%C%_test_arch_SOURCES = %D%/test_arch.c %D%/files.h %D%/paths.h %D%/reference.h %D%/run.h
%C%_test_arch_CFLAGS  = $(TEST_CFLAGS)
%C%_test_arch_LDADD   = $(TEST_LIBS)

check_PROGRAMS += %D%/test_decode
%C%_test_decode_SOURCES = %D%/test_decode.c %D%/files.h %D%/paths.h %D%/reference.h %D%/run.h
%C%_test_decode_CFLAGS  = $(TEST_CFLAGS)
%C%_test_decode_LDADD   = $(TEST_LIBS)

check_PROGRAMS += %D%/test_sample
%C%_test_sample_SOURCES = %D%/test_sample.c %D%/paths.h %D%/reference.h %D%/run.h
%C%_test_sample_CFLAGS  = $(TEST_CFLAGS)
%C%_test_sample_LDADD   = $(TEST_LIBS)

RECORD_SIM = %D%/record_digest.c %D%/record_same.c %D%/record_sim.c %D%/record_sim.h %D%/run.h

check_PROGRAMS += %D%/test_i8
%C%_test_i8_SOURCES = %D%/test_i8.c %D%/coded_layer.h %D%/near.h %D%/run.h
%C%_test_i8_CFLAGS  = $(TEST_CFLAGS)
%C%_test_i8_LDADD   = $(TEST_LIBS)

check_PROGRAMS += %D%/test_layers
%C%_test_layers_SOURCES = %D%/test_layers.c %D%/coded_layer.h %D%/golden_layers.h \
  %D%/paths.h %D%/run.h
%C%_test_layers_CFLAGS  = $(TEST_CFLAGS)
%C%_test_layers_LDADD   = $(TEST_LIBS)

check_PROGRAMS += %D%/test_stages
%C%_test_stages_SOURCES = %D%/test_stages.c %D%/run.h
%C%_test_stages_CFLAGS  = $(TEST_CFLAGS)
%C%_test_stages_LDADD   = $(TEST_LIBS)

check_PROGRAMS += %D%/test_synth
%C%_test_synth_SOURCES = %D%/test_synth.c %D%/files.h %D%/paths.h %D%/run.h
%C%_test_synth_CFLAGS  = $(TEST_CFLAGS)
%C%_test_synth_LDADD   = $(TEST_LIBS)

check_PROGRAMS += %D%/test_memory
%C%_test_memory_SOURCES = %D%/test_memory.c %D%/files.h %D%/paths.h %D%/reference.h %D%/run.h
%C%_test_memory_CFLAGS  = $(TEST_CFLAGS)
%C%_test_memory_LDADD   = $(TEST_LIBS)

check_PROGRAMS += %D%/test_quant
%C%_test_quant_SOURCES = %D%/test_quant.c %D%/paths.h %D%/reference.h %D%/run.h
%C%_test_quant_CFLAGS  = $(TEST_CFLAGS)
%C%_test_quant_LDADD   = $(TEST_LIBS)

check_PROGRAMS += %D%/test_record
%C%_test_record_SOURCES = %D%/test_record.c $(RECORD_SIM)
%C%_test_record_CFLAGS  = $(TEST_CFLAGS)
%C%_test_record_LDADD   = $(TEST_LIBS)

check_PROGRAMS += %D%/test_record_damage
%C%_test_record_damage_SOURCES = %D%/test_record_damage.c $(RECORD_SIM)
%C%_test_record_damage_CFLAGS  = $(TEST_CFLAGS)
%C%_test_record_damage_LDADD   = $(TEST_LIBS)

check_PROGRAMS += %D%/test_record_faults
%C%_test_record_faults_SOURCES = %D%/test_record_faults.c $(RECORD_SIM)
%C%_test_record_faults_CFLAGS  = $(TEST_CFLAGS)
%C%_test_record_faults_LDADD   = $(TEST_LIBS)

check_PROGRAMS += %D%/test_tables
%C%_test_tables_SOURCES = %D%/test_tables.c %D%/memory_file.h %D%/run.h
%C%_test_tables_CFLAGS  = $(TEST_CFLAGS)
%C%_test_tables_LDADD   = $(ANALYSES_LIBS) $(CHECK_LIBS)

check_PROGRAMS += %D%/test_analyses
%C%_test_analyses_SOURCES = %D%/test_analyses.c %D%/run.h
%C%_test_analyses_CFLAGS  = $(TEST_CFLAGS)
%C%_test_analyses_LDADD   = $(ANALYSES_LIBS) $(CHECK_LIBS)

check_PROGRAMS += %D%/test_reference
%C%_test_reference_SOURCES = %D%/test_reference.c %D%/paths.h %D%/reference.h %D%/run.h
%C%_test_reference_CFLAGS  = $(TEST_CFLAGS)
%C%_test_reference_LDADD   = $(ANALYSES_LIBS) $(CHECK_LIBS)

check_PROGRAMS += %D%/test_heatmap
%C%_test_heatmap_SOURCES = %D%/test_heatmap.c %D%/memory_file.h %D%/run.h %D%/xml.h
%C%_test_heatmap_CFLAGS  = $(TEST_CFLAGS)
%C%_test_heatmap_LDADD   = $(ANALYSES_LIBS) $(CHECK_LIBS)

check_PROGRAMS += %D%/test_errors
%C%_test_errors_SOURCES = %D%/test_errors.c %D%/memory_file.h %D%/run.h \
  experiments/errors_count.c experiments/layer_product.c
%C%_test_errors_CFLAGS  = $(TEST_CFLAGS)
%C%_test_errors_LDADD   = $(ANALYSES_LIBS) $(CHECK_LIBS)

check_PROGRAMS += %D%/test_schemes
%C%_test_schemes_SOURCES = %D%/test_schemes.c %D%/memory_file.h %D%/run.h
%C%_test_schemes_CFLAGS  = $(TEST_CFLAGS)
%C%_test_schemes_LDADD   = $(ANALYSES_LIBS) $(CHECK_LIBS)

check_PROGRAMS += %D%/test_figures
%C%_test_figures_SOURCES = %D%/test_figures.c %D%/svg_check.c %D%/svg_check.h %D%/memory_file.h \
  %D%/run.h
%C%_test_figures_CFLAGS  = $(TEST_CFLAGS)
%C%_test_figures_LDADD   = $(ANALYSES_LIBS) $(CHECK_LIBS)

check_PROGRAMS += %D%/test_ablate_reference
%C%_test_ablate_reference_SOURCES = %D%/test_ablate_reference.c %D%/paths.h %D%/reference.h \
  %D%/run.h \
  experiments/ablate_choose.c experiments/ablate_measure.c experiments/ablate_observe.c \
  experiments/ablate_passes.c experiments/measure.c experiments/nonfinite.c experiments/run.c experiments/stop.c \
  experiments/without.c
%C%_test_ablate_reference_CFLAGS  = $(TEST_CFLAGS)
%C%_test_ablate_reference_LDADD   = $(ANALYSES_LIBS) $(CHECK_LIBS)

check_PROGRAMS += %D%/test_ablation
%C%_test_ablation_SOURCES = %D%/test_ablation.c %D%/memory_file.h %D%/run.h
%C%_test_ablation_CFLAGS  = $(TEST_CFLAGS)
%C%_test_ablation_LDADD   = $(ANALYSES_LIBS) $(CHECK_LIBS)

check_PROGRAMS += %D%/test_statistics
%C%_test_statistics_SOURCES = %D%/test_statistics.c %D%/run.h
%C%_test_statistics_CFLAGS  = $(TEST_CFLAGS)
%C%_test_statistics_LDADD   = $(ANALYSES_LIBS) $(CHECK_LIBS)

check_PROGRAMS += %D%/test_scatter
%C%_test_scatter_SOURCES = %D%/test_scatter.c %D%/memory_file.h %D%/run.h %D%/xml.h
%C%_test_scatter_CFLAGS  = $(TEST_CFLAGS)
%C%_test_scatter_LDADD   = $(ANALYSES_LIBS) $(CHECK_LIBS)

check_PROGRAMS += %D%/test_emergence
%C%_test_emergence_SOURCES = %D%/test_emergence.c $(RECORD_SIM) %D%/memory_file.h %D%/xml.h
%C%_test_emergence_CFLAGS  = $(TEST_CFLAGS)
%C%_test_emergence_LDADD   = $(ANALYSES_LIBS) $(CHECK_LIBS)

check_PROGRAMS += %D%/test_reduce
%C%_test_reduce_SOURCES = %D%/test_reduce.c %D%/near.h %D%/run.h
%C%_test_reduce_CFLAGS  = $(TEST_CFLAGS)
%C%_test_reduce_LDADD   = $(TEST_LIBS)

check_PROGRAMS += %D%/test_record_merge
%C%_test_record_merge_SOURCES = %D%/test_record_merge.c $(RECORD_SIM)
%C%_test_record_merge_CFLAGS  = $(TEST_CFLAGS)
%C%_test_record_merge_LDADD   = $(TEST_LIBS)

check_PROGRAMS += %D%/test_metrics
%C%_test_metrics_SOURCES = %D%/test_metrics.c %D%/paths.h %D%/reference.h $(RECORD_SIM)
%C%_test_metrics_CFLAGS  = $(TEST_CFLAGS)
%C%_test_metrics_LDADD   = $(ANALYSES_LIBS) $(CHECK_LIBS)

TORCH_CASE = %D%/torch_case.h %D%/torch_file.h %D%/files.h %D%/paths.h %D%/run.h

check_PROGRAMS += %D%/test_torch
%C%_test_torch_SOURCES = %D%/test_torch.c $(TORCH_CASE)
%C%_test_torch_CFLAGS  = $(TEST_CFLAGS)
%C%_test_torch_LDADD   = $(TEST_LIBS)

check_PROGRAMS += %D%/test_pickle
%C%_test_pickle_SOURCES = %D%/test_pickle.c $(TORCH_CASE)
%C%_test_pickle_CFLAGS  = $(TEST_CFLAGS)
%C%_test_pickle_LDADD   = $(TEST_LIBS)

check_PROGRAMS += %D%/test_zip
%C%_test_zip_SOURCES = %D%/test_zip.c $(TORCH_CASE)
%C%_test_zip_CFLAGS  = $(TEST_CFLAGS)
%C%_test_zip_LDADD   = $(TEST_LIBS)

check_PROGRAMS += %D%/test_torch_models
%C%_test_torch_models_SOURCES = %D%/test_torch_models.c %D%/torch_file.h %D%/files.h %D%/paths.h \
  %D%/reference.h %D%/run.h
%C%_test_torch_models_CFLAGS  = $(TEST_CFLAGS)
%C%_test_torch_models_LDADD   = $(TEST_LIBS)
check_PROGRAMS += %D%/test_score
%C%_test_score_SOURCES = %D%/test_score.c %D%/paths.h %D%/reference.h %D%/run.h
%C%_test_score_CFLAGS  = $(TEST_CFLAGS)
%C%_test_score_LDADD   = $(TEST_LIBS)

check_PROGRAMS += %D%/test_zeroshot_table
%C%_test_zeroshot_table_SOURCES = %D%/test_zeroshot_table.c %D%/memory_file.h %D%/run.h
%C%_test_zeroshot_table_CFLAGS  = $(TEST_CFLAGS)
%C%_test_zeroshot_table_LDADD   = $(ANALYSES_LIBS) $(CHECK_LIBS)

check_PROGRAMS += %D%/test_task
%C%_test_task_SOURCES = %D%/test_task.c %D%/text.h %D%/files.h %D%/paths.h %D%/run.h
%C%_test_task_CFLAGS  = $(TEST_CFLAGS)
%C%_test_task_LDADD   = $(TEST_LIBS)

check_PROGRAMS += %D%/test_record_flips
%C%_test_record_flips_SOURCES = %D%/test_record_flips.c $(RECORD_SIM)
%C%_test_record_flips_CFLAGS  = $(TEST_CFLAGS)
%C%_test_record_flips_LDADD   = $(TEST_LIBS)

check_PROGRAMS += %D%/test_load
%C%_test_load_SOURCES = %D%/test_load.c $(RECORD_SIM)
%C%_test_load_CFLAGS  = $(TEST_CFLAGS)
%C%_test_load_LDADD   = $(TEST_LIBS)

check_PROGRAMS += %D%/test_sums
%C%_test_sums_SOURCES = %D%/test_sums.c %D%/run.h
%C%_test_sums_CFLAGS  = $(TEST_CFLAGS)
%C%_test_sums_LDADD   = $(TEST_LIBS)

check_PROGRAMS += %D%/test_chunk_graphs
%C%_test_chunk_graphs_SOURCES = %D%/test_chunk_graphs.c %D%/paths.h %D%/reference.h %D%/run.h
%C%_test_chunk_graphs_CFLAGS  = $(TEST_CFLAGS)
%C%_test_chunk_graphs_LDADD   = $(TEST_LIBS)

check_PROGRAMS += %D%/test_joined
%C%_test_joined_SOURCES = %D%/test_joined.c %D%/paths.h %D%/reference.h %D%/run.h
%C%_test_joined_CFLAGS  = $(TEST_CFLAGS)
%C%_test_joined_LDADD   = $(TEST_LIBS)

check_PROGRAMS += %D%/test_cuda_choice
%C%_test_cuda_choice_SOURCES = %D%/test_cuda_choice.c %D%/run.h cuda/codes_choice.c \
  cuda/codes_choice.h cuda/codes_measured.h
%C%_test_cuda_choice_CFLAGS  = $(TEST_CFLAGS)
%C%_test_cuda_choice_LDADD   = $(TEST_LIBS)

check_PROGRAMS += %D%/test_threads
%C%_test_threads_SOURCES = %D%/test_threads.c %D%/coded_layer.h %D%/near.h %D%/run.h
%C%_test_threads_CFLAGS  = $(TEST_CFLAGS)
%C%_test_threads_LDADD   = $(TEST_LIBS)

check_PROGRAMS += %D%/test_record_system
%C%_test_record_system_SOURCES = %D%/test_record_system.c $(RECORD_SIM)
%C%_test_record_system_CFLAGS  = $(TEST_CFLAGS)
%C%_test_record_system_LDADD   = $(TEST_LIBS)

check_PROGRAMS += %D%/test_nonfinite_weights
%C%_test_nonfinite_weights_SOURCES = %D%/test_nonfinite_weights.c %D%/torch_file.h %D%/files.h \
  %D%/paths.h %D%/reference.h %D%/run.h
%C%_test_nonfinite_weights_CFLAGS  = $(TEST_CFLAGS)
%C%_test_nonfinite_weights_LDADD   = $(TEST_LIBS)

check_PROGRAMS += %D%/test_bounds
%C%_test_bounds_SOURCES = %D%/test_bounds.c %D%/counted.h %D%/torch_file.h %D%/text.h \
  %D%/files.h %D%/paths.h $(RECORD_SIM)
%C%_test_bounds_CFLAGS  = $(TEST_CFLAGS)
%C%_test_bounds_LDADD   = $(TEST_LIBS)

if HAVE_CUDA
check_PROGRAMS += %D%/test_cuda
%C%_test_cuda_SOURCES = %D%/test_cuda.c %D%/near.h %D%/paths.h %D%/run.h
%C%_test_cuda_CFLAGS  = $(TEST_CFLAGS)
%C%_test_cuda_LDADD   = $(TEST_LIBS)

check_PROGRAMS += %D%/test_cuda_models
%C%_test_cuda_models_SOURCES = %D%/test_cuda_models.c %D%/paths.h %D%/reference.h %D%/run.h
%C%_test_cuda_models_CFLAGS  = $(TEST_CFLAGS)
%C%_test_cuda_models_LDADD   = $(TEST_LIBS)

check_PROGRAMS += %D%/test_cuda_codes
%C%_test_cuda_codes_SOURCES = %D%/test_cuda_codes.c %D%/cuda_side.c \
  %D%/cuda_side.h %D%/coded_layer.h %D%/golden_layers.h %D%/near.h %D%/paths.h %D%/run.h
%C%_test_cuda_codes_CFLAGS  = $(TEST_CFLAGS)
%C%_test_cuda_codes_LDADD   = $(TEST_LIBS)
endif

endif

# Benches: built and run by `make bench` alone.
BENCHES        += %D%/bench_engine %D%/bench_quant %D%/bench_store %D%/bench_text
EXTRA_PROGRAMS += %D%/bench_engine %D%/bench_quant %D%/bench_store %D%/bench_text
CLEANFILES     += %D%/bench_engine %D%/bench_quant %D%/bench_store %D%/bench_text
%C%_bench_engine_SOURCES  = %D%/bench_engine.c %D%/bench.h
%C%_bench_engine_CPPFLAGS = $(AM_CPPFLAGS) -DOSC_SOURCE_SHARE='"$(abs_top_srcdir)/share"'
%C%_bench_engine_LDADD    = $(OSC_LIBS)
%C%_bench_text_SOURCES    = %D%/bench_text.c
%C%_bench_text_LDADD      = $(OSC_LIBS)
%C%_bench_quant_SOURCES   = %D%/bench_quant.c %D%/bench.h
%C%_bench_quant_LDADD     = $(OSC_LIBS)
%C%_bench_store_SOURCES   = %D%/bench_store.c %D%/bench.h
%C%_bench_store_LDADD     = $(OSC_LIBS)

if HAVE_CUDA
EXTRA_PROGRAMS += %D%/bench_cuda
CLEANFILES     += %D%/bench_cuda
%C%_bench_cuda_SOURCES = %D%/bench_cuda.c %D%/bench.h
%C%_bench_cuda_LDADD   = $(OSC_LIBS)
endif

# Preloaded by test_faults.sh; sanitizers have an allocator of their own.
FAULTS = %D%/faults/clock.c %D%/faults/fault.c %D%/faults/files.c %D%/faults/hdf5.c \
  %D%/faults/memory.c
EXTRA_DIST += $(FAULTS) %D%/faults/fault.h %D%/mutate.sh %D%/coverage.sh
if !SANITIZE
check_DATA += %D%/faults.so
CLEANFILES += %D%/faults.so
%D%/faults.so: $(FAULTS) %D%/faults/fault.h
	$(AM_V_CCLD)$(CC) -std=gnu11 -Wall -Wextra -O1 -fPIC -shared -o $@ \
	  $(FAULTS:%=$(srcdir)/%) -ldl -lpthread
endif

# What takes long, in full (long.sh).
if HAVE_CHECK
LONG_NEEDS = %D%/record_equal %D%/test_load %D%/test_record_faults %D%/test_record_flips
endif
EXTRA_DIST += %D%/long.sh
.PHONY: check-long
check-long: $(bin_PROGRAMS) $(check_DATA) $(LONG_NEEDS)
	$(SHELL) $(srcdir)/%D%/long.sh
