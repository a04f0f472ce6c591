// Prompts: what a person starts a piece of work with. Each says what is wanted and brings the
// memory that it takes.
#include "base/limits.hpp"
#include "server/log_place.hpp"
#include "server/mcp/product/arguments.hpp"
#include "server/mcp/product/changes_page.hpp"
#include "server/mcp/product/context_pack.hpp"
#include "server/mcp/product/tools.hpp"

#include <algorithm>

namespace dyad::server::mcp {
namespace {

constexpr std::size_t kPromptTokens = 4000;
constexpr std::size_t kVersions = 20;
constexpr Offset kEvents = 50;

struct PromptArguments {
    std::string task, to, key, since;
};
constexpr json::MemberOf<PromptArguments> kTask[] = {{"task", take<&PromptArguments::task>}};
constexpr json::MemberOf<PromptArguments> kHandOff[] = {{"task", take<&PromptArguments::task>},
                                                        {"to", take<&PromptArguments::to>}};
constexpr json::MemberOf<PromptArguments> kKey[] = {{"key", take<&PromptArguments::key>}};
constexpr json::MemberOf<PromptArguments> kSince[] = {{"since", take<&PromptArguments::since>}};

template <const auto& known>
std::optional<PromptArguments> given(Call& call) {
    auto arguments = read_arguments<PromptArguments, known>(call);
    if (arguments) return *std::move(arguments);
    call.refused(arguments.error());
    return std::nullopt;
}

void write_message(json::Writer& out, std::string_view text) {
    out.object(
        [&] { out.member("role", "user").member("content").object("type", "text", "text", text); });
}

// What is wanted, and the memory that it takes, as JSON.
void answer(Call& call, std::string_view description, std::string_view wanted,
            std::string_view memory) {
    call.content(json::written(memory.size() + 1024, [&](json::Writer& out) {
        out.raw("\"description\":").string(description).raw(",\"messages\":[");
        write_message(out, wanted);
        out.raw(",");
        write_message(
            out, std::string("The shared memory, as of now:\n```json\n").append(memory) + "\n```");
        out.raw("]");
    }));
}

void with_pack(Call& call, const std::string& task,
               std::function<void(Call&, const std::string&)> go_on) {
    pack(call.node(),
         {.user = call.user(),
          .session = call.instance(),
          .task = task,
          .budget_tokens = kPromptTokens,
          .fresh = true},
         call.then(std::move(go_on)));
}

// The latest of the log.
void with_recent(Call& call, std::function<void(Call&, Offset)> go_on) {
    constexpr auto kBeyond = static_cast<Offset>(INT64_MAX);
    call.node().store().read(
        call.user(), kBeyond, 1,
        call.then([go_on = std::move(go_on)](Call& to, const LogSlice& slice) {
            const Offset end = slice.head.offset;
            go_on(to, std::max(slice.first_kept - 1, end - std::min(end, kEvents)));
        }));
}

void write_review(Call& call, const std::optional<Position>& since, Offset after,
                  const LogSlice& slice) {
    if (since && !is_of_this_log(*since, slice))
        return call.refused(fail(Errc::history_gone,
                                 "since: this position is not in the log any more; leave it out"));
    ChangesPage page({.limit = limits::page_items_default}, slice.head.position());
    for (const EventBatchPtr& batch : slice.batches)
        for (Offset at = std::max(batch->first, after + 1); !batch->empty() && at <= batch->last();
             ++at) {
            const Result<bool> taken = page.add(batch->text(at));
            if (!taken) return call.failed(taken.error());
            if (!*taken) break;
            page.move_to(position_at(batch->epoch, at, batch->entry(at).hash));
        }
    answer(call, "What changed in the shared memory",
           "Review what changed in the shared memory. Say for each change who made it and what it "
           "means for the work at hand, name changes that contradict each other or overwrite "
           "something that was still wanted (memory_history has the versions before), and what "
           "should be done about it.",
           page.text(page.position().offset < slice.head.offset));
}

}  // namespace

void resume_work(Call& call) {
    const auto wanted = given<kTask>(call);
    if (!wanted) return;
    with_pack(call, wanted->task, [task = wanted->task](Call& to, const std::string& memory) {
        answer(to, "Go on where the work was left",
               (task.empty() ? std::string("Resume the work that was under way.")
                             : "Resume this work: " + task) +
                   "\nBelow is what the shared memory knows, the most useful first, with who wrote "
                   "each value and when. Say in a few lines where the work stands and what comes "
                   "next, then go on. Write down what is decided and done with memory_set.",
               memory);
    });
}

void hand_off(Call& call) {
    const auto wanted = given<kHandOff>(call);
    if (!wanted) return;
    if (const Status task = needed("task", wanted->task); !task) return call.refused(task.error());
    with_pack(call, wanted->task, [wanted = *wanted](Call& to, const std::string& memory) {
        const std::string whom = wanted.to.empty() ? "next" : wanted.to;
        answer(to, "Hand the work to another assistant",
               "Hand this work over to " + (wanted.to.empty() ? "whoever takes it next" : whom) +
                   ": " + wanted.task + "\nWrite a value under the key handoff/" + whom +
                   " with memory_set: goal, what is done, what is open, decisions with their "
                   "reasons, files touched, the keys of the memory that matter, and the next step. "
                   "Use what the shared memory knows below; correct there what is not true any "
                   "more, with the expected_version that it has.",
               memory);
    });
}

void explain_decision(Call& call) {
    const auto wanted = given<kKey>(call);
    if (!wanted) return;
    if (const Status key = needed("key", wanted->key); !key) return call.refused(key.error());
    call.node().store().history(
        call.user(), wanted->key, {.before = 0, .limit = kVersions},
        call.then([key = wanted->key](Call& to, const std::vector<HistoryItem>& items) {
            if (items.empty())
                return to.refused(
                    fail(Errc::not_found, "key: the log has nothing of \"" + key + "\""));
            const std::string memory = json::written(4096, [&](json::Writer& out) {
                out.raw("{\"versions\":");
                out.array(items, [&](const HistoryItem& item) {
                    out.object([&] {
                        out.member("action", item.action);
                        write_members(out, *item.context, !page_is_full(out));
                    });
                });
                out.raw("}");
            });
            answer(to, "How a value came to be what it is",
                   "Explain how \"" + key +
                       "\" came to be what it is: what was decided, by whom and when, what it "
                       "replaced, and what speaks for and against it as far as the versions below "
                       "(newest first) and the rest of the memory show. Say plainly where the "
                       "reason is not written down.",
                   memory);
        }));
}

void review_changes(Call& call) {
    const auto wanted = given<kSince>(call);
    if (!wanted) return;
    const auto read_after = [](Call& to, const std::optional<Position>& since, Offset after) {
        to.node().store().read(to.user(), after, limits::page_log_bytes_max,
                               to.then([since, after](Call& last, const LogSlice& slice) {
                                   write_review(last, since, after, slice);
                               }));
    };
    if (wanted->since.empty())
        return with_recent(
            call, [read_after](Call& to, Offset after) { read_after(to, std::nullopt, after); });
    const Result<Position> since = Position::parse(wanted->since);
    if (!since)
        return call.refused(
            fail(Errc::invalid_field, "since: must be the position of an earlier answer"));
    read_after(call, *since, since->offset);
}

}  // namespace dyad::server::mcp
