# Fuzz targets (fuzz.h): their seeds and regressions are run by `make check`, fuzzing itself
# is `make fuzz` in a build folder configured by tests/fuzz/run.sh.
FUZZ_SOURCES = %D%/fuzz.c %D%/fuzz.h %D%/store.c %D%/targets.h \
  %D%/fuzz_config.c %D%/fuzz_documents.c %D%/fuzz_options.c %D%/fuzz_record.c \
  %D%/fuzz_safetensors.c %D%/fuzz_tokenizer.c %D%/fuzz_tokens.c %D%/fuzz_torch.c
EXTRA_DIST += %D%/corpus %D%/dictionary %D%/run.sh %D%/suppressions

check_PROGRAMS += %D%/replay
%C%_replay_SOURCES = $(FUZZ_SOURCES)
%C%_replay_LDADD   = $(OSC_LIBS)

EXTRA_PROGRAMS += %D%/fuzz
CLEANFILES += %D%/fuzz
%C%_fuzz_SOURCES  = $(FUZZ_SOURCES)
%C%_fuzz_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_LIBFUZZER
%C%_fuzz_CFLAGS   = $(AM_CFLAGS)
%C%_fuzz_LDFLAGS  = $(AM_LDFLAGS) -fsanitize=fuzzer
%C%_fuzz_LDADD    = $(OSC_LIBS)
