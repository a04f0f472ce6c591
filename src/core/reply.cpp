#include "core/decide.hpp"

namespace dyad::core {
namespace {

template <class... Ts>
struct Overloaded : Ts... {
    using Ts::operator()...;
};

}  // namespace

Reply reply_without_event(const NoChange& outcome, const std::string& operation_id,
                          const LogHead& head) {
    Reply reply;
    reply.position = head.position();
    reply.operation_id = operation_id;
    std::string& out = reply.result;
    out.append("{\"conflicts\":[],\"context\":");
    if (outcome.context) {
        write_context(out, *outcome.context);
        reply.version = outcome.context->version;
    } else {
        out.append("null");
    }
    out.append(",\"ignored\":true,\"incoming\":").append(outcome.incoming).append("}");
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
    std::string& out = reply.result;
    std::visit(Overloaded{[&](const ContextChange& c) {
                              out.append("{\"action\":\"");
                              out.append(context_action_name(c.action));
                              out.append("\",\"conflicts\":[");
                              for (const Conflict& conflict : c.conflicts_opened) {
                                  if (&conflict != c.conflicts_opened.data()) out += ',';
                                  write_conflict(out, conflict);
                              }
                              out.append("],\"context\":");
                              write_context(out, *c.context);
                              out.append(",\"previousVersion\":");
                              out.append(std::to_string(c.previous_version));
                          },
                          [&](const ModeChange& m) {
                              out.append("{\"mode\":");
                              write_mode(out, m.state);
                          },
                          [&](const ResponseChange& r) {
                              out.append("{\"response\":");
                              write_response(out, r.record);
                          },
                          [&](const McpChange& m) { out.append("{\"mcp\":").append(m.payload); }},
               change);
    out += '}';
    return reply;
}

}  // namespace dyad::core
