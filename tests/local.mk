TESTS = $(check_PROGRAMS) %D%/layers.sh %D%/test_cli.sh
TEST_EXTENSIONS = .sh
SH_LOG_COMPILER = $(SHELL)
dist_check_SCRIPTS += %D%/layers.sh %D%/test_cli.sh
AM_TESTS_ENVIRONMENT = ASAN_OPTIONS=protect_shadow_gap=0:$$ASAN_OPTIONS; export ASAN_OPTIONS; \
  OSC_TESTS='$(srcdir)/%D%'; export OSC_TESTS; OSC_SHARE='$(srcdir)/share'; export OSC_SHARE;

LOG_DRIVER    = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh --merge
SH_LOG_DRIVER = $(LOG_DRIVER)

TEST_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
TEST_LIBS   = $(OSC_LIBS) $(CHECK_LIBS)

if HAVE_CHECK
check_PROGRAMS += %D%/test_base
%C%_test_base_SOURCES = %D%/test_base.c %D%/run.h
%C%_test_base_CFLAGS  = $(TEST_CFLAGS)
%C%_test_base_LDADD   = $(TEST_LIBS)
check_PROGRAMS += %D%/test_backend
%C%_test_backend_SOURCES = %D%/test_backend.c %D%/run.h %D%/near.h
%C%_test_backend_CFLAGS  = $(TEST_CFLAGS)
%C%_test_backend_LDADD   = $(TEST_LIBS)

check_PROGRAMS += %D%/test_store
%C%_test_store_SOURCES = %D%/test_store.c %D%/checkpoint.h %D%/run.h
%C%_test_store_CFLAGS  = $(TEST_CFLAGS)
%C%_test_store_LDADD   = $(TEST_LIBS)

check_PROGRAMS += %D%/test_safetensors
%C%_test_safetensors_SOURCES = %D%/test_safetensors.c %D%/checkpoint.h %D%/run.h
%C%_test_safetensors_CFLAGS  = $(TEST_CFLAGS)
%C%_test_safetensors_LDADD   = $(TEST_LIBS)
check_PROGRAMS += %D%/test_hooks
%C%_test_hooks_SOURCES = %D%/test_hooks.c %D%/run.h
%C%_test_hooks_CFLAGS  = $(TEST_CFLAGS)
%C%_test_hooks_LDADD   = $(TEST_LIBS)

check_PROGRAMS += %D%/test_engine
%C%_test_engine_SOURCES = %D%/test_engine.c %D%/reference.h %D%/run.h
%C%_test_engine_CFLAGS  = $(TEST_CFLAGS)
%C%_test_engine_LDADD   = $(TEST_LIBS)

endif

EXTRA_DIST += %D%/data/safetensors
