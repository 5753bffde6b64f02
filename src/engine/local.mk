libosc_a_SOURCES += %D%/arch.h %D%/budget.c %D%/decode.c %D%/decode.h %D%/graph.c %D%/hook.c \
  %D%/hook.h %D%/mirror.c %D%/model.c %D%/model.h %D%/observer.c %D%/observer.h %D%/pass.h \
  %D%/rules.c %D%/rules.h %D%/run.c %D%/sample.c %D%/sample.h %D%/score.c %D%/session.c \
  %D%/session.h %D%/session_state.h %D%/stages.c %D%/steps.c %D%/steps.h %D%/suits.c %D%/synth.c \
  %D%/synth.h %D%/weights.c
