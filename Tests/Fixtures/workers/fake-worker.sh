#!/bin/sh
# Speaks the worker protocol without training anything. What it does is chosen by the label "scenario" of the spec;
# every run has 4 steps and checkpoints after 2 and 4, with bytes that depend on the step alone.

say() { printf '%s\n' "$1"; }
field() { printf '%s' "$line" | sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p"; }

say "{\"type\":\"ready\",\"pid\":$$,\"engine_version\":\"fake\",\"kernel_level\":\"none\",\"threads\":1}"
echo "the fake worker $$ is ready" >&2

metric() { # finished
    say "{\"type\":\"metrics\",\"step\":$1,\"epoch\":0.5,\"examples\":$(($1 * 32)),\"steps_per_second\":100.0,\"points\":[{\"name\":\"train/loss\",\"step\":$(($1 - 1)),\"finished\":$1,\"value\":$((10 - $1)).5}]}"
}

checkpoint() { # step cause
    name=$(printf 'step-%06d' "$1")
    if [ ! -d "$folder/$name" ]; then
        mkdir -p "$folder/tmp-$name"
        printf 'the state after step %s' "$1" > "$folder/tmp-$name/state.msgpack"
        printf 'the rest after step %s' "$1" > "$folder/tmp-$name/resume.msgpack"
        mv "$folder/tmp-$name" "$folder/$name"
    fi
    state=$(sha256sum "$folder/$name/state.msgpack" | cut -d' ' -f1)
    rest=$(sha256sum "$folder/$name/resume.msgpack" | cut -d' ' -f1)
    say "{\"type\":\"checkpoint\",\"step\":$1,\"folder\":\"$folder/$name\",\"state_sha256\":\"$state\",\"state_bytes\":$(stat -c %s "$folder/$name/state.msgpack"),\"resume_sha256\":\"$rest\",\"resume_bytes\":$(stat -c %s "$folder/$name/resume.msgpack"),\"metrics\":{\"validation/loss\":$((5 - $1)).0},\"cause\":\"$2\"}"
}

finish() { # from step
    step=$1
    while [ "$step" -lt 4 ]; do
        step=$((step + 1))
        metric "$step"
        [ "$step" = 2 ] && checkpoint 2 periodic
    done
    checkpoint 4 final
    say '{"type":"done","step":4,"metrics":{"train/loss":6.5}}'
    exit 0
}

run() {
    attempt=$(field attempt)
    folder=$(printf '%s' "$line" | sed -n 's/.*"folder":"\([^"]*checkpoints\)".*/\1/p')
    from=$(printf '%s' "$line" | sed -n 's/.*\/step-0*\([0-9][0-9]*\)".*/\1/p')
    from=${from:-0}
    scenario=$(field scenario)
    [ "$scenario" = silent ] && exit 0
    say "{\"type\":\"started\",\"step\":$from,\"steps_total\":4}"
    case $scenario in
        crash-once)
            [ "$attempt" = 1 ] || finish "$from"
            metric 1; metric 2; checkpoint 2 periodic; metric 3
            kill -9 $$ ;;
        crash-always) kill -9 $$ ;;
        exit-3) exit 3 ;;
        babble) say 'this is no JSON'; sleep 30 ;;
        fail)
            say '{"type":"failed","code":"nonfinite_loss","detail":"the loss is NaN","step":3,"retryable":false,"problems":[]}'
            exit 1 ;;
        fail-once)
            [ "$attempt" = 1 ] || finish "$from"
            say '{"type":"failed","code":"checkpoint_write_failed","detail":"no space","step":0,"retryable":true,"problems":[]}'
            exit 1 ;;
        lie)
            say '{"type":"done","step":4,"metrics":{}}'
            exit 0 ;;
        stuck)
            trap '' TERM
            metric 1; metric 2; checkpoint 2 periodic; metric 3
            while :; do sleep 0.05; done ;;
        linger)
            trap 'exit 0' TERM
            checkpoint 4 final
            say '{"type":"done","step":4,"metrics":{}}'
            while :; do sleep 0.05; done ;;
        wait)
            # On the second attempt it goes on by itself.
            [ "$from" -ge 2 ] && finish "$from"
            metric 1; metric 2; checkpoint 2 periodic; metric 3
            while read -r line; do
                case $line in
                    *'"type":"pause"'*) checkpoint 3 pause; say '{"type":"stopped","step":3}'; exit 0 ;;
                    *'"type":"cancel"'*) say '{"type":"cancelled","step":3}'; exit 0 ;;
                esac
            done
            exit 0 ;;
        hold)
            # Without a checkpoint, until it is told.
            metric 1
            while read -r line; do
                case $line in
                    *'"type":"pause"'*) checkpoint 1 pause; say '{"type":"stopped","step":1}'; exit 0 ;;
                    *'"type":"cancel"'*) say '{"type":"cancelled","step":1}'; exit 0 ;;
                esac
            done
            exit 0 ;;
        *) finish "$from" ;;
    esac
}

while read -r line; do
    case $line in
        '{"type":"plan"'*'"scenario":"plan-crash"'*) echo "planning made me ill" >&2; kill -9 $$ ;;
        '{"type":"plan"'*'"scenario":"plan-hang"'*) sleep 60 ;;
        '{"type":"plan"'*'"scenario":"plan-fail"'*)
            say "{\"type\":\"plan_failed\",\"id\":$(field id),\"problems\":[{\"code\":\"shape_mismatch\",\"pointer\":\"#/model\",\"detail\":\"no\"}]}" ;;
        '{"type":"plan"'*)
            say "{\"type\":\"planned\",\"id\":$(field id),\"plan\":{\"parameter_count\":10,\"parameter_bytes\":40,\"checkpoint_bytes\":100,\"memory_bytes\":1000,\"steps_total\":4,\"steps_per_epoch\":2,\"modules\":[]}}" ;;
        '{"type":"run"'*) run ;;
    esac
done
exit 0
