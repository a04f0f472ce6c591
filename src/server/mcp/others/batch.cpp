#include "server/mcp/others/batch.hpp"

#include "model/json_text.hpp"
#include "server/switches.hpp"

namespace dyad::server::mcp::others {
namespace {

constexpr std::size_t kAtOnce = 128;

// One change_context() on its way.
struct Change : std::enable_shared_from_this<Change> {
    std::shared_ptr<Call> call;
    std::string key;
    std::function<Result<std::string>(const ContextPtr&)> patch_of;
    std::function<void(const Status&)> done;
    std::int64_t tries = 0;

    void over(const ContextPtr& stored) {
        Result<std::string> patch = patch_of(stored && !stored->deleted ? stored : nullptr);
        if (!patch) return done(patch.error());
        if (patch->empty()) return done(Done{});
        Command command = command_of(*call, MergePatchContext{key, *std::move(patch)});
        command.expected_version = stored->version;
        if (const Status valid = validate(command); !valid) return done(valid.error());
        call->node().engine().submit(
            call->user(), std::move(command), [self = shared_from_this()](const Outcome& outcome) {
                const auto* const rejection = std::get_if<Rejection>(&outcome);
                if (rejection == nullptr) return self->done(Done{});
                const bool again = rejection->error.code == Errc::version_conflict &&
                                   ++self->tries < limits::commit_tries_max;
                again ? self->read() : self->done(rejection->error);
            });
    }
    void read() {
        call->node().engine().context(
            call->user(), key,
            [self = shared_from_this()](const Result<ContextPtr>& stored, const Position&) {
                stored ? self->over(*stored) : self->done(stored.error());
            });
    }
};

}  // namespace

void Batch::run(Call& call, std::vector<Command> commands, Take take, End end) {
    const auto batch = std::make_shared<Batch>();
    batch->call_ = call.shared_from_this();
    batch->commands_ = std::move(commands);
    batch->take_ = std::move(take);
    batch->end_ = std::move(end);
    batch->go_on();
}

void Batch::go_on() {
    const auto self = shared_from_this();
    open_ += 1;  // this one: answers that come at once do not end it
    while (!failed_ && next_ < commands_.size() && open_ <= kAtOnce) {
        const std::size_t index = next_++;
        if (const Status valid = validate(commands_[index]); !valid) {
            failed_ = valid.error();
            break;
        }
        open_ += 1;
        call_->node().engine().submit(
            call_->user(), std::move(commands_[index]),
            [self, index](const Outcome& outcome) { self->answered(index, outcome); });
    }
    if (--open_ > 0 || (!failed_ && next_ < commands_.size())) return;
    failed_ ? call_->failed(*failed_) : end_(*call_);
}

void Batch::answered(std::size_t index, const Outcome& outcome) {
    open_ -= 1;
    const Status taken = take_(index, outcome);
    if (!taken && !failed_) failed_ = taken.error();
    go_on();
}

Command command_of(Call& call, CommandBody body) {
    Command command;
    command.instance_id = call.instance();
    command.operation_id = call.node().random().uuid4();
    command.provenance = Provenance{Author::model, "", Trust::unverified};
    if (std::holds_alternative<DeleteContext>(body)) command.provenance.reset();
    command.body = std::move(body);
    command.brief = true;
    return command;
}

Status unless(const Outcome& outcome, Errc passed_over) {
    const auto* const rejection = std::get_if<Rejection>(&outcome);
    if (rejection == nullptr || rejection->error.code == passed_over) return Done{};
    return rejection->error;
}

void change_context(Call& call, std::string key,
                    std::function<Result<std::string>(const ContextPtr& stored)> patch_of,
                    std::function<void(const Status&)> done) {
    const auto change = std::make_shared<Change>();
    change->call = call.shared_from_this();
    change->key = std::move(key);
    change->patch_of = std::move(patch_of);
    change->done = std::move(done);
    change->read();
}

void answer_with(Call& call, std::string_view text, std::string_view structured) {
    std::string members = "\"content\":[{\"type\":\"text\",\"text\":";
    json::append_string(members, text);
    members.append("}],\"structuredContent\":").append(structured);
    call.content(std::move(members));
}

std::string indented(std::string_view compact) {
    std::string out;
    std::size_t level = 0;
    const auto line = [&] { out.append("\n").append(2 * level, ' '); };
    bool in_string = false;
    for (std::size_t i = 0; i < compact.size(); ++i) {
        const char c = compact[i];
        if (in_string) {
            out += c;
            if (c == '\\') out += compact[++i];
            in_string = c != '"';
            continue;
        }
        const bool opens = c == '{' || c == '[';
        const bool closes = c == '}' || c == ']';
        const bool empty = opens && (compact[i + 1] == '}' || compact[i + 1] == ']');
        if (closes) {
            level -= 1;
            line();
        }
        out += c;
        if (empty) {
            out += compact[++i];
        } else if (opens) {
            level += 1;
            line();
        } else if (c == ',') {
            line();
        } else if (c == ':') {
            out += ' ';
        }
        in_string = c == '"';
    }
    return out;
}

}  // namespace dyad::server::mcp::others
