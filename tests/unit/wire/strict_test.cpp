// What a message may not say: members that nobody knows, and two things at once.
#include "wire/message.hpp"

#include <string>

#include <gtest/gtest.h>

namespace dyad::wire {
namespace {

Conditions only(Version version) {
    return {.match = VersionSet{.any = false, .versions = {version}}, .none_match = {}};
}

std::string refusal(const Result<Command>& command) {
    return command ? "" : command.error().detail;
}

// The refusal of a message by a connection that negotiated, or by a plain one.
std::string refusal_of(const std::string& text, bool strict) {
    Decoder decoder;
    const auto message = decoder.envelope(text);
    if (!message) return message.error().detail;
    if (const Status known = Decoder::check_members(*message); strict && !known)
        return known.error().detail;
    if (message->type == MessageType::hello) {
        const auto hello = decoder.hello(*message);
        return hello ? "" : hello.error().detail;
    }
    return refusal(
        decoder.command(*message, {.user_id = "ada", .instance_id = "desk", .strict = strict}));
}

std::string command(const std::string& fields) {
    return R"({"id":"o","type":"command","payload":{)" + fields + "}}";
}

constexpr std::string_view kSource =
    R"("sourceType":"local","provider":"p","model":"m","responseHash":"aa","timestamp":1)";

std::string response(const std::string& final, const std::string& source,
                     const std::string& record) {
    return command(R"("op":"response.record","response":{"chatId":"c","messageId":"m",)"
                   R"("mode":"parallel","final":{)" +
                   std::string(kSource) + final + R"(},"sources":[{)" + std::string(kSource) +
                   source + "}]" + record + "}");
}

struct Case {
    const char* fields;
    const char* known;  // what the refusal lists
};
constexpr Case kOperations[] = {
    {R"("op":"context.put","contextKey":"k","data":{})",
     "op, contextKey, contextType, mergeStrategy, data, force, tags, expiresAt, ttlDays, "
     "expectedVersion, provenance, fence"},
    {R"("op":"context.merge-patch","contextKey":"k","patch":{})",
     "op, contextKey, patch, expectedVersion, provenance, fence"},
    {R"("op":"context.json-patch","contextKey":"k","patch":[])",
     "op, contextKey, patch, expectedVersion, provenance, fence"},
    {R"("op":"context.delete","contextKey":"k")", "op, contextKey, expectedVersion, fence"},
    {R"("op":"context.restore","contextKey":"k","version":1)",
     "op, contextKey, version, expectedVersion, provenance, fence"},
    {R"("op":"conflict.resolve","conflictId":"1.1","choice":"stored")",
     "op, expectedVersion, conflictId, choice, value, provenance, fence"},
    {R"("op":"mode.set","mode":"parallel")",
     "op, expectedVersion, mode, currentMode, instanceId, configuration, contextSnapshot, "
     "transitionDuration, success, errorMessage, fence"},
    {R"("op":"mcp.announce","kind":"mcp-server-added","payload":{})",
     "op, kind, type, payload, fence"},
    {R"("op":"claim.acquire","resource":"file:/a")", "op, resource, ttlMs, note, session"},
    {R"("op":"claim.release","resource":"file:/a","token":3)", "op, resource, token"},
};

TEST(StrictMessages, RefuseAMemberThatTheirOperationDoesNotKnow) {
    for (const auto& [fields, known] : kOperations) {
        EXPECT_EQ(refusal_of(command(fields), true), "") << fields;
        for (const std::string stranger : {"expectdVersion", "contextkey", "userId", "a\\u0062"}) {
            const std::string name = stranger == "a\\u0062" ? "ab" : stranger;
            const std::string expected = name + ": is not known here; known are " + known;
            EXPECT_EQ(refusal_of(command('"' + stranger + "\":1," + fields), true), expected);
            EXPECT_EQ(refusal_of(command(std::string(fields) + ",\"" + stranger + "\":null"), true),
                      expected);
        }
    }
    // A command is strict wherever it comes from.
    EXPECT_NE(refusal_of(command(std::string(kOperations[0].fields) + R"(,"x":1)"), false), "");
}

TEST(StrictMessages, RefuseAMemberOfAnotherOperation) {
    const std::pair<const char*, const char*> others[] = {{R"("version":7)", "version"},
                                                          {R"("mode":"parallel")", "mode"},
                                                          {R"("response":null)", "response"},
                                                          {R"("payload":{})", "payload"}};
    for (const auto& [member, name] : others)
        EXPECT_TRUE(
            refusal_of(command(R"("op":"context.delete","contextKey":"k",)" + std::string(member)),
                       true)
                .starts_with(std::string(name) + ": is not known here"))
            << member;
    EXPECT_TRUE(refusal_of(command(R"("op":"mcp.announce","kind":"mcp-server-added","payload":{},)"
                                   R"("expectedVersion":3)"),
                           true)
                    .starts_with("expectedVersion: is not known here"));
}

TEST(StrictMessages, RefuseStrangersInsideAResponse) {
    EXPECT_EQ(refusal_of(response("", "", ""), true), "");
    EXPECT_EQ(refusal_of(response("", "", R"(,"metadata":{"localProvider":"x"})"), true), "");
    const std::pair<std::string, const char*> cases[] = {
        {response(R"(,"tokens":1)", "", ""), "final.tokens"},
        {response("", R"(,"cost":1)", ""), "sources.0.cost"},
        {response("", "", R"(,"chatID":"c")"), "chatID"},
        {response("", "", R"(,"metadata":{"provider":"x"})"), "provider"},
    };
    for (const auto& [text, name] : cases)
        EXPECT_TRUE(refusal_of(text, true).starts_with(std::string(name) + ": is not known here"))
            << refusal_of(text, true);
}

TEST(StrictMessages, RefuseStrangersInHelloAndBesideThePayload) {
    const std::string hello = R"("payload":{"protocol":2,"instanceId":"desk")";
    EXPECT_EQ(refusal_of(R"({"type":"hello",)" + hello + "}}", true), "");
    EXPECT_TRUE(refusal_of(R"({"type":"hello",)" + hello + R"(,"snapshott":true}})", true)
                    .starts_with("snapshott: is not known here; known are protocol, "));
    EXPECT_TRUE(refusal_of(R"({"type":"hello","resume":"x",)" + hello + "}}", false)
                    .starts_with("resume: is not known here; known are id, type, "));
    const std::string misplaced = R"({"type":"command","expectedVersion":7,"payload":)"
                                  R"({"op":"context.delete","contextKey":"k"}})";
    EXPECT_EQ(refusal_of(misplaced, true),
              "expectedVersion: is not known here; known are id, type, userId, instanceId, "
              "timestamp, payload");
}

TEST(StrictMessages, ArePassedOverByThePlainProtocolAlone) {
    const std::string sync = R"({"type":"context-sync","x":1,"payload":{"contextKey":"k",)"
                             R"("data":{},"y":[{}]}})";
    EXPECT_EQ(refusal_of(sync, false), "");
    EXPECT_TRUE(refusal_of(sync, true).starts_with("x: is not known here"));
    const std::string mode =
        R"({"type":"mode-update","payload":{"currentMode":"parallel","capabilities":{}}})";
    EXPECT_EQ(refusal_of(mode, false), "");
    EXPECT_TRUE(refusal_of(mode, true).starts_with("capabilities: is not known here"));
}

TEST(Contradictions, InOneMessageAreRefused) {
    const auto hello = [](const std::string& envelope, const std::string& payload) {
        return R"({"type":"hello")" + envelope + R"(,"payload":{"protocol":2)" + payload + "}}";
    };
    const auto sync = [](const std::string& member) {
        return R"({"type":"context-sync","payload":{"contextKey":"k","data":{},)" + member + "}}";
    };
    const auto mode = [](const std::string& member) {
        return R"({"type":"mode-update","payload":{"currentMode":"parallel",)" + member + "}}";
    };
    const std::pair<std::string, const char*> refused[] = {
        {hello(R"(,"userId":"ada")", R"(,"instanceId":"i","userId":"bob")"), "userId"},
        {hello(R"(,"instanceId":"i")", R"(,"instanceId":"j")"), "instanceId"},
        {sync(R"("userId":"bob")"), "userId"},
        {sync(R"("instanceId":"laptop")"), "instanceId"},
        {mode(R"("userId":"bob")"), "userId"},
        {mode(R"("instanceId":"laptop")"), "instanceId"},
        {mode(R"("toMode":"didactic")"), "toMode"},
        {mode(R"("fromMode":"didactic","previousMode":"inspired")"), "fromMode"},
        {command(R"("op":"mode.set","mode":"parallel","currentMode":"didactic")"), "currentMode"},
        {command(R"("op":"mcp.announce","kind":"mcp-server-added","type":"mcp:server-removed",)"
                 R"("payload":{})"),
         "type"},
        {command(R"("op":"context.put","contextKey":"k","data":{},"force":true,)"
                 R"("expectedVersion":3)"),
         "force"},
        {command(R"("op":"conflict.resolve","conflictId":"1.1","choice":"stored","value":1)"),
         "value"},
        {response(R"(,"responseText":"abc")", "", ""), "final.responseHash"},
        {response("", R"(,"responseText":"abc")", ""), "sources.0.responseHash"},
        {response("", "", R"(,"provider":"q")"), "final"},
    };
    for (const auto& [text, field] : refused)
        for (const bool strict : {false, true})
            EXPECT_TRUE(refusal_of(text, strict).starts_with(std::string(field) + ": "))
                << text << "\n  " << refusal_of(text, strict);
}

TEST(Contradictions, AreNoneWhereTheSameIsSaidTwice) {
    for (
        const char* text :
        {R"({"type":"hello","userId":"ada","instanceId":"i","payload":{"protocol":2,)"
         R"("instanceId":"i","userId":"ada"}})",
         R"({"type":"hello","userId":"ada","payload":{"protocol":2,"instanceId":"i","userId":""}})",
         R"({"type":"context-sync","payload":{"contextKey":"k","data":{},"userId":"ada",)"
         R"("instanceId":"desk"}})",
         R"({"type":"command","payload":{"op":"mode.set","mode":"parallel",)"
         R"("currentMode":"parallel"}})",
         R"({"type":"command","payload":{"op":"mcp.announce","kind":"mcp-server-added",)"
         R"("type":"mcp:server-added","payload":{}}})",
         R"({"type":"command","payload":{"op":"conflict.resolve","conflictId":"1.1",)"
         R"("choice":"stored","value":null}})",
         R"({"type":"command","payload":{"op":"context.put","contextKey":"k","data":{},)"
         R"("force":true,"mergeStrategy":"merge","expectedVersion":3}})"})
        EXPECT_EQ(refusal_of(text, true), "") << text;
}

TEST(Contradictions, BetweenARequestAndItsBodyAreRefused) {
    Decoder decoder;
    const auto put = [&](const std::string& member, Given given) {
        given.op = "context.put";
        given.context_key = "k";
        return refusal(decoder.operation(R"({"data":{})" + member + "}", std::move(given)));
    };
    EXPECT_EQ(put(R"(,"contextKey":"k","expectedVersion":3)", {.conditions = only(3)}), "");
    EXPECT_EQ(put(R"(,"contextKey":"l")", {}),
              "contextKey: is another one than the path's; send it once");
    EXPECT_EQ(put(R"(,"expectedVersion":4)", {.conditions = only(3)}),
              "expectedVersion: is another one than the header's; send one of the two");
    EXPECT_TRUE(put(R"(,"op":"context.put")", {}).starts_with("op: is not known here"));
    EXPECT_EQ(refusal(decoder.operation(R"({"mode":"parallel","instanceId":"b"})",
                                        {.op = "mode.set", .instance_id = "a"})),
              "instanceId: is another one than the path's; send it once");
    EXPECT_EQ(refusal(decoder.operation(R"({"choice":"stored","conflictId":"1.2"})",
                                        {.op = "conflict.resolve", .conflict_id = "1.1"})),
              "conflictId: is another one than the path's; send it once");
    EXPECT_EQ(refusal(decoder.operation(R"({"kind":"mcp-server-added","payload":{}})",
                                        {.op = "mcp.announce", .conditions = only(1)})),
              "If-Match, If-None-Match: this request has no version");
}

}  // namespace
}  // namespace dyad::wire
