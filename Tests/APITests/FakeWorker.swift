// A worker that trains nothing: a shell script that speaks the worker protocol. What it does is decided by the job's name.
import Foundation
import Scheduler

enum FakeWorker {
    /// - `quick…`: three steps, a checkpoint, done.
    /// - `endless…`: one step, then it waits for `pause` or `cancel`.
    /// - `broken…`: fails with `nonfinite_loss`.
    /// - `misshapen…`: refused when it is planned.
    ///
    /// Exports of a job `quickrefused` are refused, those of `quickdying` end the worker; any other export has its format in its first
    /// line, and then the state. An import of a file that begins with `bad` is refused; any other is copied.
    static func launch(in folder: String) throws -> WorkerLaunch {
        let path = folder + "/fake-worker.sh"
        try Data(script.utf8).write(to: URL(fileURLWithPath: path))
        return WorkerLaunch(path: "/bin/sh", arguments: [path])
    }

    private static let script = #"""
        say() { printf '%s\n' "$1"; }
        digest() { sha256sum "$1" | cut -d' ' -f1; }
        size() { wc -c < "$1" | tr -d ' '; }
        point() { printf '{"name":"train/loss","step":%d,"finished":%d,"value":%s}' "$1" $(($1 + 1)) "$2"; }
        field() { printf '%s' "$line" | sed -n 's/.*"'"$1"'":"\([^"]*\)".*/\1/p'; }
        written() { say '{"type":"written","sha256":"'"$(digest "$1")"'","bytes":'"$(size "$1")"',"contents":'"$2"'}'; }
        checkpoint() {
            place="$folder/$(printf 'step-%06d' "$1")"
            mkdir -p "$place"
            printf 'state of step %d' "$1" > "$place/state.msgpack"
            printf 'resume of step %d' "$1" > "$place/resume.msgpack"
            say '{"type":"checkpoint","step":'"$1"',"folder":"'"$place"'","state_sha256":"'"$(digest "$place/state.msgpack")"'","state_bytes":'"$(size "$place/state.msgpack")"',"resume_sha256":"'"$(digest "$place/resume.msgpack")"'","resume_bytes":'"$(size "$place/resume.msgpack")"',"metrics":{"train/loss":0.125},"cause":"'"$2"'"}'
        }
        say '{"type":"ready","pid":'$$',"engine_version":"fake","kernel_level":"none","threads":1}'
        while IFS= read -r line; do
            name=$(printf '%s' "$line" | sed -n 's/.*"name":"\([a-z]*\).*/\1/p')
            case "$line" in
            *'"type":"plan"'*)
                id=$(printf '%s' "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
                case "$line" in
                *misshapen*) say '{"type":"plan_failed","id":'"$id"',"problems":[{"code":"shape_mismatch","pointer":"#/model/features","detail":"the output is [20, 4], the target is [20, 5]"}]}' ;;
                *) say '{"type":"planned","id":'"$id"',"plan":{"parameter_count":55,"parameter_bytes":220,"checkpoint_bytes":400,"memory_bytes":4096,"steps_total":3,"steps_per_epoch":1,"modules":[]}}' ;;
                esac ;;
            *'"type":"run"'*)
                folder=$(printf '%s' "$line" | sed -n 's/.*"folder":"\([^"]*checkpoints\)".*/\1/p')
                echo 'a line of the log' >&2
                say '{"type":"started","step":0,"steps_total":3}'
                case "$line" in
                *'"name":"broken'*)
                    say '{"type":"failed","code":"nonfinite_loss","detail":"the loss is NaN","step":1,"retryable":false,"problems":[]}'
                    exit 0 ;;
                *'"name":"endless'*)
                    say '{"type":"metrics","step":1,"epoch":1,"examples":20,"steps_per_second":10,"points":['"$(point 0 0.5)"']}' ;;
                *)
                    say '{"type":"metrics","step":3,"epoch":3,"examples":60,"steps_per_second":10,"points":['"$(point 0 0.5),$(point 1 0.25),$(point 2 0.125)"']}'
                    checkpoint 3 final
                    say '{"type":"done","step":3,"metrics":{"train/loss":0.125}}'
                    exit 0 ;;
                esac ;;
            *'"type":"export"'*)
                output=$(field output)
                case "$name" in
                quickrefused) say '{"type":"refused","problems":[{"code":"not_exportable","pointer":"#/params/Dense_0","detail":"Dense_0 has no counterpart"}]}' ;;
                quickdying) echo 'out of luck' >&2; kill -9 $$ ;;
                *)
                    { field format; echo; cat "$(field state)"; } > "$output"
                    written "$output" '{}' ;;
                esac ;;
            *'"type":"import"'*)
                input=$(field input)
                output=$(field output)
                case "$(head -c 3 "$input")" in
                bad) say '{"type":"refused","problems":[{"code":"invalid_checkpoint","pointer":"#byte=0","detail":"no checkpoint"}]}' ;;
                *)
                    cp "$input" "$output"
                    written "$output" '{"format":"npz","parts":["params"],"arrays":1,"elements":2}' ;;
                esac ;;
            *'"type":"pause"'*)
                checkpoint 1 pause
                say '{"type":"stopped","step":1}'
                exit 0 ;;
            *'"type":"cancel"'*)
                say '{"type":"cancelled","step":1}'
                exit 0 ;;
            esac
        done
        """#
}
