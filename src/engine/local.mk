libosc_a_SOURCES += %D%/arch.h %D%/hook.c %D%/hook.h %D%/model.c %D%/model.h \
  %D%/mirror.c %D%/observer.c %D%/observer.h \
  %D%/pass.h %D%/run.c %D%/session.c %D%/session.h %D%/session_state.h \
  %D%/steps.c %D%/steps.h %D%/weights.c
