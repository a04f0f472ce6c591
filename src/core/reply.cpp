#include "base/overloaded.hpp"
#include "core/decide.hpp"
#include "model/json_text.hpp"

namespace dyad::core {
namespace {

// About as many bytes as a result has, beside a context's data.
constexpr std::size_t kResultBytes = 768;

void write_members(json::Writer& out, const Change& change) {
    std::visit(
        Overloaded{
            [&](const ContextChange& c) {
                out.member("action", c.action);
                out.member("conflicts").array(c.conflicts_opened, [&out](const Conflict& conflict) {
                    write(out, conflict);
                });
                write(out.member("context"), *c.context);
                out.member("previousVersion", c.previous_version);
            },
            [&](const ModeChange& m) { write(out.member("mode"), m.state); },
            [&](const ResponseChange& r) { write(out.member("response"), r.record); },
            [&](const McpChange& m) { out.member("mcp").raw(m.payload); },
            [&](const ClaimChange& c) {
                out.member("action", c.action);
                write(out.member("claim"), c.claim);
            }},
        change);
}

}  // namespace

Reply reply_without_event(const NoChange& outcome, const std::string& operation_id,
                          const LogHead& head) {
    Reply reply;
    reply.position = head.position();
    reply.operation_id = operation_id;
    if (outcome.context) reply.version = outcome.context->version;
    reply.result = json::written(kResultBytes, [&outcome](json::Writer& out) {
        out.raw(R"({"conflicts":[])").member("context");
        if (outcome.context)
            write(out, *outcome.context);
        else
            out.raw("null");
        out.member("ignored", true).member("incoming").raw(outcome.incoming).raw("}");
    });
    return reply;
}

Reply reply_of(const Change& change, const Command& command, const LogHead& head) {
    Reply reply;
    reply.position = head.position();
    reply.kind = kind_of(change);
    if (const auto* context = std::get_if<ContextChange>(&change))
        reply.version = context->context->version;
    if (const auto* mode = std::get_if<ModeChange>(&change))
        reply.version = mode->state.sync_version;
    if (command.brief) return reply;
    reply.operation_id = command.operation_id;
    reply.result = json::written(kResultBytes, [&change](json::Writer& out) {
        out.object([&] { write_members(out, change); });
    });
    return reply;
}

}  // namespace dyad::core
