#include "wire/payloads.hpp"

namespace dyad::wire {
namespace {

constexpr std::array<std::string_view, 6> kHello = {"protocol", "instanceId", "userId",
                                                    "resume",   "snapshot",   "client"};
constexpr std::array<std::string_view, 8> kContextSync = {"contextKey",    "data",        "version",
                                                          "mergeStrategy", "contextType", "deleted",
                                                          "tags",          "expiresAt"};
constexpr std::array<std::string_view, 6> kModeUpdate = {
    "currentMode", "toMode", "previousMode", "fromMode", "configuration", "transitionDuration"};

Status take_resume(Field& field, Hello& hello) {
    Result<std::optional<std::string_view>> text = field.string();
    if (!text) return text.error();
    if (!*text) return Done{};
    // A token of another log, an older server or a damaged store of the client: the answer is a
    // reset, which the client must know how to take in any case.
    Result<Position> position = Position::parse(**text);
    if (position)
        hello.resume = *position;
    else
        hello.resume_refused = true;
    return Done{};
}

Status take_protocol(Field& field) {
    Result<std::optional<std::int64_t>> version = field.integer();
    if (!version) return version.error();
    if (*version != 2) return fail(Errc::invalid_field, "protocol: this server speaks 2");
    return Done{};
}

}  // namespace

Error missing(std::string_view field) {
    return fail(Errc::missing_field, std::string(field) + ": is required");
}

Result<Hello> read_hello(Source& source, std::string_view payload) {
    if (payload.empty()) return missing("payload");
    Hello hello;
    bool protocol = false;
    const auto take = [&](std::size_t index, Field& field) -> Status {
        switch (index) {
            case 0:
                protocol = true;
                return take_protocol(field);
            case 1:
                return put(field.string(), hello.instance_id);
            case 2:
                return put(field.string(), hello.user_id);
            case 3:
                return take_resume(field, hello);
            case 4:
                return put(field.boolean(), hello.snapshot);
            default:
                return put(field.string(), hello.client);
        }
    };
    if (Status read = read_payload(source, payload, kHello, take); !read) return read.error();
    if (!protocol) return missing("protocol");
    return hello;
}

Result<Command> read_context_sync(Source& source, std::string_view payload) {
    PutContext context;
    bool deleted = false;
    const auto take = [&](std::size_t index, Field& field) -> Status {
        switch (index) {
            case 0:
                return put(field.string(), context.key);
            case 1:
                return put_any(field.document(), context.data);
            case 2: {
                // A clock in existing clients; any number is as good as another.
                double ignored = 0;
                return put(field.number(), ignored);
            }
            case 3:
                return put_name(field, context.strategy, merge_strategy_by_name, "mergeStrategy",
                                kStrategies);
            case 4:
                return put_name(field, context.type, context_type_by_name, "contextType",
                                kContextTypes);
            case 5:
                return put(field.boolean(), deleted);
            case 6:
                return put_any(field.strings(), context.tags);
            default:
                return put_any(field.integer(), context.expires_at_ms);
        }
    };
    if (Status read = read_payload(source, payload, kContextSync, take); !read) return read.error();
    if (context.key.empty()) return missing("contextKey");
    Command command;
    if (deleted) {
        command.body = DeleteContext{std::move(context.key)};
        return command;
    }
    if (context.data.empty()) return missing("data");
    context.force = context.strategy == MergeStrategy::replace;
    command.body = std::move(context);
    return command;
}

Result<Command> read_mode_update(Source& source, std::string_view payload) {
    SetMode set;
    bool named = false;
    const auto take = [&](std::size_t index, Field& field) -> Status {
        switch (index) {
            case 0:
                named = true;
                return put_name(field, set.mode, mode_by_name, "currentMode", kModes);
            case 1: {
                // What existing servers broadcast; the client's own name comes first where both do.
                Mode to = set.mode;
                Status status = put_name(field, to, mode_by_name, "toMode", kModes);
                if (status && !named) set.mode = to;
                named = true;
                return status;
            }
            case 2:
            case 3:
                // Where it comes from is in the log; what the client believes does not count.
                return field.skip();
            case 4: {
                Result<std::string> text = field.document();
                if (!text) return text.error();
                if (*text != "null") set.configuration = *std::move(text);
                return Done{};
            }
            default:
                return put(field.integer(), set.transition_duration_ms);
        }
    };
    if (Status read = read_payload(source, payload, kModeUpdate, take); !read) return read.error();
    if (!named) return missing("currentMode");
    Command command;
    command.body = std::move(set);
    return command;
}

}  // namespace dyad::wire
