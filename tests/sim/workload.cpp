#include "sim/workload.hpp"

#include "model/json.hpp"
#include "sim/reference.hpp"

namespace dyad::sim {
namespace {

using reference::Json;

class Drawer {
  public:
    Drawer(SeededRandom& random, const Wish& wish, const Knowledge& known)
        : random_(random), wish_(wish), known_(known), key_(draw_key()) {}

    Command draw();

  private:
    std::string draw_key() {
        return "k" + std::to_string(random_.between(0, wish_.keys - 1)) + "@" + wish_.user_id + "@";
    }
    std::string mark() const { return "@" + wish_.user_id + "@"; }
    std::int64_t value() {
        return random_.chance(300) ? random_.between(0, 3) : static_cast<std::int64_t>(wish_.value);
    }
    Json fresh_document();
    std::string document();
    std::optional<Version> expectation();
    CommandBody put();
    CommandBody merge_patch();
    CommandBody json_patch();
    CommandBody restore();
    CommandBody resolve();
    CommandBody mode();
    CommandBody response();
    CommandBody mcp();
    CommandBody claim();
    void add_claims(Command& command);

    SeededRandom& random_;
    const Wish& wish_;
    const Knowledge& known_;
    const std::string key_;
};

Json Drawer::fresh_document() {
    Json document{{"by", mark()}, {"o", boost::json::object()}};
    boost::json::object& members = document.get_object();
    for (const char* name : {"a", "b", "c"})
        if (random_.chance(700)) members[name] = value();
    for (const char* name : {"x", "y"})
        if (random_.chance(700)) members["o"].get_object()[name] = value();
    return document;
}

// A new document, or the one that is known with something changed.
std::string Drawer::document() {
    const auto at = known_.contexts.find(key_);
    if (at == known_.contexts.end() || random_.chance(200))
        return json::canonical(fresh_document());
    Json document = reference::parse(at->second.second);
    const std::string names[] = {"/a", "/b", "/c", "/o/x", "/o/y"};
    const std::string& name = names[random_.between(0, 4)];
    const bool remove = random_.chance(200);
    reference::set_at(document, name, remove ? std::nullopt : std::optional<Json>(value()));
    return json::canonical(document);
}

std::optional<Version> Drawer::expectation() {
    const auto at = known_.versions.find(key_);
    const bool alive = known_.contexts.contains(key_);
    if (random_.chance(150)) return std::nullopt;
    if (random_.chance(100)) return static_cast<Version>(random_.between(0, 6));
    return at == known_.versions.end() || !alive ? 0 : at->second;
}

CommandBody Drawer::put() {
    PutContext put;
    put.key = key_;
    put.data = document();
    const std::int64_t kind = random_.between(0, 9);
    if (kind < 4) put.strategy = MergeStrategy::merge;
    if (kind == 9) put.strategy = MergeStrategy::ignore;
    put.force = kind > 3 && kind < 6;
    if (random_.chance(200)) put.type = ContextType::project;
    if (random_.chance(200)) put.tags = std::vector<std::string>{"t" + std::to_string(value())};
    if (wish_.expires_soon) put.expires_at_ms = wish_.now_ms + random_.between(50, 2'000);
    return put;
}

CommandBody Drawer::merge_patch() {
    Json patch = boost::json::object();
    for (const char* name : {"a", "b", "c"})
        if (random_.chance(300))
            patch.get_object()[name] = random_.chance(300) ? Json() : Json(value());
    if (random_.chance(300)) patch.get_object()["o"] = Json{{"x", value()}};
    return MergePatchContext{key_, json::canonical(patch)};
}

CommandBody Drawer::json_patch() {
    boost::json::array steps;
    if (random_.chance(300)) steps.push_back({{"op", "test"}, {"path", "/by"}, {"value", mark()}});
    steps.push_back({{"op", "add"}, {"path", "/a"}, {"value", value()}});
    if (random_.chance(300)) steps.push_back({{"op", "remove"}, {"path", "/b"}});
    if (random_.chance(300))
        steps.push_back({{"op", "replace"}, {"path", "/o/x"}, {"value", value()}});
    return JsonPatchContext{key_, json::canonical(steps)};
}

CommandBody Drawer::restore() {
    const auto at = known_.versions.find(key_);
    const std::int64_t newest =
        at == known_.versions.end() ? 1 : static_cast<std::int64_t>(at->second);
    return RestoreContext{
        key_, static_cast<Version>(random_.between(1, std::max<std::int64_t>(1, newest))), nullptr};
}

CommandBody Drawer::resolve() {
    if (known_.conflicts.empty()) return put();
    ResolveConflict resolve;
    resolve.conflict_id = known_.conflicts[static_cast<std::size_t>(
        random_.between(0, static_cast<std::int64_t>(known_.conflicts.size()) - 1))];
    resolve.choice = static_cast<ResolveConflict::Choice>(random_.between(0, 2));
    if (resolve.choice == ResolveConflict::Choice::value) resolve.value = std::to_string(value());
    return resolve;
}

CommandBody Drawer::mode() {
    SetMode set;
    const Mode modes[] = {Mode::didactic, Mode::parallel, Mode::inspired, Mode::didactic};
    set.mode = modes[random_.between(0, 3)];
    if (random_.chance(300)) set.configuration = R"({"by":")" + mark() + "\"}";
    return set;
}

CommandBody Drawer::response() {
    RecordResponse response;
    ResponseRecord& record = response.record;
    record.chat_id = "chat" + mark();
    record.message_id = "m" + std::to_string(random_.between(0, 3));
    record.mode = "parallel";
    record.final.provider = random_.chance(500) ? "local" : "external";
    record.final.model = "model";
    record.final.response_hash = "0f" + std::to_string(wish_.value);
    if (random_.chance(500)) record.final.confidence = 0;
    return response;
}

CommandBody Drawer::mcp() {
    return AnnounceMcp{EventKind::mcp_tool_executed,
                       R"({"by":")" + mark() + R"(","n":)" + std::to_string(wish_.value) + "}"};
}

CommandBody Drawer::claim() {
    const std::string resource = "file:/" + std::to_string(random_.between(0, 1)) + mark();
    const auto at = known_.claims.find(resource);
    if (at != known_.claims.end() && random_.chance(300))
        return ReleaseClaim{resource, at->second + (random_.chance(100) ? 1 : 0)};
    AcquireClaim acquire{.resource = resource, .ttl_ms = random_.between(100, 1'200)};
    if (random_.chance(300)) acquire.session = "s" + std::to_string(random_.between(1, 2));
    if (random_.chance(300)) acquire.note = "n" + std::to_string(wish_.value);
    return acquire;
}

// Some of what is drawn becomes a claim, or is made under one; under one that ended, too.
void Drawer::add_claims(Command& command) {
    if (!random_.chance(wish_.claims)) return;
    if (random_.chance(500)) {
        command.body = claim();
        command.expected_version.reset();
        return;
    }
    if (random_.chance(300))
        command.provenance =
            Provenance{static_cast<Author>(random_.between(0, 4)), "m", Trust::unverified};
    if (known_.claims.empty()) return;
    auto at = known_.claims.begin();
    if (random_.chance(500)) at = std::prev(known_.claims.end());
    command.fence = Fence{at->first, at->second + (random_.chance(50) ? 1 : 0)};
}

Command Drawer::draw() {
    Command command;
    command.instance_id = wish_.instance_id;
    command.operation_id = wish_.operation_id;
    const std::int64_t kind = random_.between(0, 99);
    if (wish_.is_private && random_.chance(500))
        command.body = mode();
    else if (kind < 52)
        command.body = put();
    else if (kind < 60)
        command.body = merge_patch();
    else if (kind < 67)
        command.body = json_patch();
    else if (kind < 74)
        command.body = DeleteContext{key_};
    else if (kind < 79)
        command.body = restore();
    else if (kind < 84)
        command.body = resolve();
    else if (kind < 91)
        command.body = mode();
    else if (kind < 96)
        command.body = response();
    else
        command.body = mcp();
    const bool unversioned = std::holds_alternative<SetMode>(command.body);
    // Some are refused: what they asked for holds all the same.
    if (unversioned && random_.chance(200))
        command.expected_version = static_cast<Version>(random_.between(0, 3));
    if (kind < 79 && !unversioned &&
        (std::holds_alternative<PutContext>(command.body) || random_.chance(400)))
        command.expected_version = expectation();
    if (wish_.claims > 0) add_claims(command);
    return command;
}

}  // namespace

Command draw_command(SeededRandom& random, const Wish& wish, const Knowledge& known) {
    return Drawer(random, wish, known).draw();
}

std::string describe(const Command& command) {
    constexpr const char* kKinds[] = {"put",     "merge-patch", "json-patch", "delete", "restore",
                                      "resolve", "mode",        "response",   "mcp",    "expire",
                                      "adopt",   "claim",       "release",    "end"};
    std::string text = kKinds[command.body.index()];
    if (command.expected_version) text += " over " + std::to_string(*command.expected_version);
    std::visit(
        [&](const auto& body) {
            if constexpr (requires { body.key; }) text += " " + body.key;
            if constexpr (requires { body.resource; }) text += " " + body.resource;
            if constexpr (requires { body.ttl_ms; })
                text += " for " + std::to_string(body.ttl_ms) + " ms " + body.session;
            if constexpr (requires { body.token; }) text += " under " + std::to_string(body.token);
            if constexpr (requires { body.patch; }) text += " " + body.patch;
            if constexpr (requires { body.version; }) text += " to " + std::to_string(body.version);
            if constexpr (requires { body.mode; }) text += " " + std::string(name_of(body.mode));
            if constexpr (requires { body.conflict_id; }) text += " " + body.conflict_id;
            if constexpr (requires { body.data; })
                text += " " + std::string(name_of(body.strategy)) +
                        (body.force ? " by force " : " ") + body.data;
        },
        command.body);
    if (command.fence)
        text +=
            " fenced by " + command.fence->resource + " " + std::to_string(command.fence->token);
    return text;
}

}  // namespace dyad::sim
