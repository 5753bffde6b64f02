TESTS = $(check_PROGRAMS) %D%/layers.sh
TEST_EXTENSIONS = .sh
SH_LOG_COMPILER = $(SHELL)
dist_check_SCRIPTS += %D%/layers.sh
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
check_PROGRAMS += %D%/test_record %D%/test_record_damage %D%/test_record_faults
RECORD_SIM = %D%/record_same.c %D%/record_sim.c %D%/record_sim.h %D%/run.h
%C%_test_record_SOURCES = %D%/test_record.c $(RECORD_SIM)
%C%_test_record_CFLAGS  = $(TEST_CFLAGS)
%C%_test_record_LDADD   = $(TEST_LIBS)
%C%_test_record_damage_SOURCES = %D%/test_record_damage.c $(RECORD_SIM)
%C%_test_record_damage_CFLAGS  = $(TEST_CFLAGS)
%C%_test_record_damage_LDADD   = $(TEST_LIBS)
%C%_test_record_faults_SOURCES = %D%/test_record_faults.c $(RECORD_SIM)
%C%_test_record_faults_CFLAGS  = $(TEST_CFLAGS)
%C%_test_record_faults_LDADD   = $(TEST_LIBS)
endif
