bin_PROGRAMS += outlierscope
outlierscope_SOURCES = %D%/ablate.c %D%/ablate.h %D%/ablate_choose.c %D%/ablate_measure.c \
  %D%/ablate_observe.c %D%/ablate_passes.c %D%/agree.c %D%/agree.h %D%/blas.c %D%/blas.h \
  %D%/child.c %D%/child.h %D%/compare.c %D%/compare.h %D%/compare_cells.c %D%/compare_choice.c \
  %D%/compare_file.c %D%/compare_print.c %D%/describe.h %D%/describe_checkpoint.c \
  %D%/describe_record.c %D%/dry_run.c %D%/dry_run.h %D%/errors.c %D%/errors.h %D%/errors_count.c \
  %D%/errors_plot.c %D%/errors_print.c %D%/estimate.c %D%/estimate.h %D%/experiments.c \
  %D%/experiments.h %D%/generate.c %D%/generate.h %D%/generate_prompts.c %D%/generate_text.c \
  %D%/info.c %D%/kept.c %D%/kept.h %D%/layer_product.c %D%/layer_study.c %D%/layer_study.h \
  %D%/main.c %D%/measure.c %D%/measure.h %D%/merge.c %D%/nonfinite.c %D%/nonfinite.h \
  %D%/perplexity.c %D%/point_list.c %D%/point_list.h %D%/provenance.c %D%/provenance.h \
  %D%/record.c %D%/record_report.c %D%/record_report.h %D%/run.c %D%/run.h %D%/scheme_list.c \
  %D%/scheme_list.h %D%/shard.c %D%/shard.h %D%/stop.c %D%/stop.h %D%/sweep.c %D%/sweep.h \
  %D%/sweep_argv.c %D%/sweep_cells.c %D%/sweep_conf.c %D%/sweep_file.c %D%/sweep_plan.c \
  %D%/sweep_run.c %D%/sweep_summaries.c %D%/sweep_tables.c %D%/sweep_tasks.c \
  %D%/sweep_zeroshot.c %D%/synth.c %D%/tokenize.c %D%/without.c %D%/without.h %D%/zeroshot.c \
  %D%/zeroshot.h %D%/zeroshot_data.c %D%/zeroshot_file.c %D%/zeroshot_model.c %D%/zeroshot_run.c \
  %D%/zeroshot_score.c
outlierscope_LDADD = libanalyses.a libcli.a $(OSC_LIBS) $(GSL_LIBS)

dist_man_MANS += %D%/outlierscope.1

bashcompdir = $(datadir)/bash-completion/completions
dist_bashcomp_DATA = %D%/completion/outlierscope

# Examples for a cluster.
slurmdir = $(pkgdatadir)/slurm
dist_slurm_SCRIPTS = %D%/slurm/sweep.sbatch %D%/slurm/record.sh %D%/slurm/record.sbatch \
  %D%/slurm/merge.sbatch
# They are jobs: --help means nothing to them.
AM_INSTALLCHECK_STD_OPTIONS_EXEMPT = $(dist_slurm_SCRIPTS)

# Sweeps that ship: `outlierscope sweep NAME`.
sweepsdir = $(pkgdatadir)/sweeps
dist_sweeps_DATA = %D%/sweeps/opt-mini.conf %D%/sweeps/opt.conf %D%/sweeps/quantization.conf \
  %D%/sweeps/ablation.conf
