// The edges of the decoder: spellings, limits, and texts that end or break anywhere.
#include "base/limits.hpp"
#include "model/json.hpp"
#include "model/time_text.hpp"
#include "wire/message.hpp"

#include <memory>
#include <string>

#include <gtest/gtest.h>

namespace dyad::wire {
namespace {

// The first error of a message and of what is in it.
std::optional<Error> first_error(Decoder& decoder, std::string_view text) {
    const Result<Message> message = decoder.envelope(text);
    if (!message) return message.error();
    if (message->type == MessageType::hello) {
        const Result<Hello> hello = decoder.hello(*message);
        return hello ? std::nullopt : std::optional<Error>(hello.error());
    }
    if (message->type == MessageType::context_sync || message->type == MessageType::mode_update ||
        message->type == MessageType::command) {
        const Result<Command> command = decoder.command(*message);
        return command ? std::nullopt : std::optional<Error>(command.error());
    }
    const Status payload = decoder.check_payload(*message);
    return payload ? std::nullopt : std::optional<Error>(payload.error());
}

std::string described(const std::optional<Error>& error) {
    return error ? error->to_string() : "no error";
}

std::string sync(std::string_view members) {
    return R"({"type":"context-sync","payload":{)" + std::string(members) + "}}";
}
std::string put(std::string_view members) {
    return R"({"type":"command","payload":{"op":"context.put","contextKey":"k","data":{},)" +
           std::string(members) + "}}";
}

const std::string kFullSync =
    R"( { "id" : "o\u002d1", "type":"context-sync" ,"userId":"ad\u00e4","instanceId":"i","timestamp":)"
    R"(1.5e3, "x" : [ null, {"y":"\"}"} ] ,"payload": {"contextKey":"k\n","contextType":"chat",)"
    R"("version":0,"mergeStrategy":"merge","data":{"b":[1.0,true,{}],"a":"\/}]"},"tags":["\"a","b"],)"
    R"("expiresAt":null,"deleted":false,"z":{}} } )";
const std::string kFullCommand =
    R"({"id":"o","type":"command","payload":{"op":"context.put","contextKey":"k","contextType":)"
    R"("custom","mergeStrategy":"ignore","data":{"b":1,"a":"xyz"},"force":true,"tags":[],)"
    R"("expiresAt":-1,"expectedVersion":7}})";

TEST(DecoderNames, AreTheSameHoweverTheyAreSpelt) {
    Decoder decoder;
    const std::string text =
        R"({"\u0074ype":"context-sync","\u0069d":"o","payload":{"d\u0061ta":{},"context\u004Bey":"k"}})";
    const auto message = decoder.envelope(text);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->id, "o");
    const auto command = decoder.command(*message);
    ASSERT_TRUE(command) << command.error().to_string();
    EXPECT_EQ(std::get<PutContext>(command->body).key, "k");
    EXPECT_EQ(std::get<PutContext>(command->body).data, "{}");
}

TEST(DecoderNames, StandOnceHoweverTheyAreSpelt) {
    Decoder decoder;
    for (const std::string& text : {std::string(R"({"id":"a","\u0069d":"b","type":"ping"})"),
                                    std::string(R"({"\u0069d":"a","type":"ping","id":"b"})"),
                                    std::string(R"({"type":"ping","xy":1,"\u0078y":2})"),
                                    sync(R"("contextKey":"k","data":{},"context\u004bey":"l")"),
                                    sync(R"("contextKey":"k","data":{},"data":{})"),
                                    put(R"("op":"context.put")"), put(R"("new":1,"n\u0065w":1)")}) {
        const auto error = first_error(decoder, text);
        ASSERT_TRUE(error) << text;
        EXPECT_EQ(error->code, Errc::invalid_field) << text;
        EXPECT_NE(error->detail.find("stands twice"), std::string::npos) << error->detail;
    }
}

TEST(DecoderNames, AreCutBetweenCharactersInErrors) {
    Decoder decoder;
    for (std::size_t first = 60; first < 66; ++first) {
        std::string name(first, 'n');
        for (int i = 0; i < 20; ++i)
            name += "\xf0\x9f\x98\x80";
        const auto error =
            first_error(decoder, R"({"type":"ping",")" + name + R"(":1,")" + name + "\":1}");
        ASSERT_TRUE(error);
        EXPECT_TRUE(json::canonicalize('"' + error->detail + '"')) << first;
        EXPECT_LT(error->detail.size(), 130U);
    }
}

TEST(DecoderStrings, OfOneMessageStayValidTogether) {
    Decoder decoder;
    const std::string pad(60, 'p');
    for (int round = 0; round < 3; ++round) {
        const std::string text = R"({"userId":"\u00e4\/)" + pad + R"(u","instanceId":"\n)" + pad +
                                 R"(i","id":"\")" + pad + R"(o","type":"context\u002dsync",)" +
                                 R"("\u0078":1,"payload":{"contextKey":"\t)" + pad +
                                 R"(","data":{"\u0062":1,"a":"\u0041"},"tags":["\u0031","2"],)" +
                                 R"("mergeStrategy":"mer\u0067e"}})";
        const auto message = decoder.envelope(text);
        ASSERT_TRUE(message) << message.error().to_string();
        const auto command = decoder.command(*message);
        ASSERT_TRUE(command) << command.error().to_string();
        EXPECT_EQ(message->type, MessageType::context_sync);
        EXPECT_EQ(message->user_id, "\xc3\xa4/" + pad + "u");
        EXPECT_EQ(message->instance_id, "\n" + pad + "i");
        EXPECT_EQ(message->id, "\"" + pad + "o");
        EXPECT_EQ(command->operation_id, message->id);
        const auto& context = std::get<PutContext>(command->body);
        EXPECT_EQ(context.key, "\t" + pad);
        EXPECT_EQ(context.data, R"({"a":"A","b":1})");
        EXPECT_EQ(context.tags, (std::vector<std::string>{"1", "2"}));
        EXPECT_EQ(context.strategy, MergeStrategy::merge);
    }
}

TEST(DecoderPayload, IsFoundWhateverItHoldsAndWhereverItStands) {
    Decoder decoder;
    for (const std::string_view payload :
         {R"({})", R"([])", R"({"a":"}\\\""})", R"([[{"]":"["}]])", R"({"a":"\\\\"})", R"("x\"}")",
          "1.5", "null", "true", R"({"{":{"[":"\"{\\"},"]":["}"]})"})
        for (std::size_t pad = 0; pad < 140; ++pad) {
            std::string text = R"({"x":")" + std::string(pad, '{') + R"(","payload": )";
            text.append(payload).append(R"( ,"type":"ping"})");
            const auto message = decoder.envelope(text);
            ASSERT_TRUE(message) << text << message.error().to_string();
            EXPECT_EQ(message->payload, payload);
            EXPECT_EQ(message->type, MessageType::ping);
            EXPECT_TRUE(decoder.check_payload(*message)) << text;
        }
}

TEST(DecoderPayload, WhoseBracketsDoNotMatchIsRefusedWhenItIsRead) {
    Decoder decoder;
    for (const std::string_view payload : {R"({"a":1])", "[}", R"({"a":[1}})", R"({"a"})", "{,}",
                                           R"({"a":1,})", R"({"a":"\x"})", "[1 2]", "{[]}"}) {
        const std::string text =
            R"({"type":"ping","payload":)" + std::string(payload) + R"(,"id":"1"})";
        const auto error = first_error(decoder, text);
        ASSERT_TRUE(error) << text;
        EXPECT_EQ(error->code, Errc::invalid_json) << text;
    }
}

TEST(DecoderText, IsRefusedWhereverItEnds) {
    Decoder decoder;
    for (const std::string& text : {kFullSync, kFullCommand}) {
        ASSERT_EQ(described(first_error(decoder, text)), "no error");
        const std::size_t whole = text.find_last_of('}') + 1;
        for (std::size_t size = 0; size < whole; ++size) {
            // Of just this size, so that a sanitizer sees what reads beyond it.
            const std::unique_ptr<char[]> bytes(new char[size]);
            text.copy(bytes.get(), size);
            const auto message = decoder.envelope({bytes.get(), size});
            ASSERT_FALSE(message) << text.substr(0, size);
            EXPECT_EQ(message.error().code, Errc::invalid_json) << size;
        }
    }
}

TEST(DecoderText, OfAnOperationIsRefusedWhereverItEnds) {
    Decoder decoder;
    const std::size_t start = kFullCommand.find(R"({"op")");
    const std::string text = kFullCommand.substr(start, kFullCommand.size() - start - 1);
    ASSERT_TRUE(decoder.operation(text));
    for (std::size_t size = 0; size < text.size(); ++size) {
        const std::unique_ptr<char[]> bytes(new char[size]);
        text.copy(bytes.get(), size);
        EXPECT_FALSE(decoder.operation({bytes.get(), size})) << text.substr(0, size);
    }
    EXPECT_FALSE(decoder.operation(text + "x"));
    EXPECT_FALSE(decoder.operation(text + "{}"));
}

TEST(DecoderText, SurvivesAnyByteAnywhere) {
    Decoder decoder;
    for (const std::string& text : {kFullSync, kFullCommand})
        for (std::size_t at = 0; at < text.size(); ++at)
            for (const char byte : {'"', '\\', '{', '}', '[', ']', ',', ':', ' ', '0', 'n', '\0',
                                    '\xff', '\xc3', '\x1f'}) {
                std::string damaged = text;
                damaged[at] = byte;
                const auto error = first_error(decoder, damaged);
                if (byte == '\0' || byte == '\xff' || byte == '\x1f') ASSERT_TRUE(error) << damaged;
            }
}

TEST(DecoderText, MayHaveWhiteSpaceBetweenAnyTwoWords) {
    Decoder decoder;
    for (const std::string_view space : {" ", "\n", "\r\n", "\t", "  \t \r \n "}) {
        std::string text;
        bool inside = false;
        text += space;
        for (const char c : kFullCommand) {
            const bool word = !inside && std::string_view("{}[],:").find(c) != std::string::npos;
            if (word) text += space;
            text += c;
            if (word) text += space;
            if (c == '"') inside = !inside;
        }
        const auto message = decoder.envelope(text);
        ASSERT_TRUE(message) << message.error().to_string();
        const auto command = decoder.command(*message);
        ASSERT_TRUE(command) << command.error().to_string();
        const auto& context = std::get<PutContext>(command->body);
        EXPECT_EQ(context.data, R"({"a":"xyz","b":1})");
        EXPECT_EQ(context.expires_at_ms, std::optional<std::int64_t>(-1));
        EXPECT_EQ(command->expected_version, 7U);
    }
    EXPECT_TRUE(first_error(decoder, "\v{\"type\":\"ping\"}"));
    EXPECT_TRUE(first_error(decoder, "{\"type\":\"ping\"}\v"));
    EXPECT_TRUE(first_error(decoder, std::string("{\"type\":\"ping\"}\0", 16)));
}

TEST(DecoderText, IsUtf8InEveryField) {
    Decoder decoder;
    const std::string bad = "\xed\xa0\x80";
    for (const std::string& text :
         {R"({"type":"ping","id":")" + bad + "\"}", R"({"type":"ping","userId":")" + bad + "\"}",
          R"({"type":"ping","instanceId":")" + bad + "\"}", R"({"type":")" + bad + "\"}",
          R"({"type":"ping","x":")" + bad + "\"}", R"({"type":"ping",")" + bad + "\":1}",
          R"({"type":"ping","payload":")" + bad + "\"}",
          R"({"type":"ping","payload":{"a":[")" + bad + "\"]}}",
          R"({"type":"ping","payload":{")" + bad + "\":1}}",
          R"({"type":"hello","payload":{"protocol":2,"client":")" + bad + "\"}}",
          sync(R"("contextKey":")" + bad + R"(","data":{})"), sync("\"data\":\"" + bad + "\""),
          sync("\"tags\":[\"" + bad + "\"]"), sync("\"mergeStrategy\":\"" + bad + "\""),
          sync("\"" + bad + "\":1"), put("\"value\":{\"" + bad + "\":1}"),
          put("\"errorMessage\":\"\\n" + bad + "\"")}) {
        const auto error = first_error(decoder, text);
        ASSERT_TRUE(error) << text;
        EXPECT_EQ(error->code, Errc::invalid_utf8) << error->to_string();
    }
}

TEST(DecoderMembers, ThatAreNotKnownAreReadStrictly) {
    Decoder decoder;
    const auto nested = [](std::size_t levels) {
        return std::string(levels, '[') + std::string(levels, ']');
    };
    constexpr auto kMax = static_cast<std::size_t>(limits::json_depth_max);
    for (const auto message :
         {+[](const std::string& value) { return R"({"type":"ping","x":)" + value + "}"; },
          +[](const std::string& value) {
              return sync(R"("contextKey":"k","data":{},"x":)" + value);
          },
          +[](const std::string& value) { return put("\"x\":" + value); }}) {
        // Where the protocol is negotiated they are refused, by their name, when they are read.
        const std::string read = described(first_error(decoder, message(nested(kMax))));
        if (message("1").find("context.put") == std::string::npos)
            EXPECT_EQ(read, "no error");
        else
            EXPECT_TRUE(read.starts_with("invalid_field: x: is not known here; known are op, "));
        for (const std::string& deep : {nested(kMax + 1), nested(400'000)}) {
            const auto error = first_error(decoder, message(deep));
            ASSERT_TRUE(error);
            EXPECT_EQ(error->code, Errc::too_large);
            EXPECT_TRUE(error->detail.starts_with("x: byte ")) << error->detail;
        }
        EXPECT_TRUE(first_error(decoder, message("01")));
        EXPECT_TRUE(first_error(decoder, message("tru")));
        EXPECT_TRUE(first_error(decoder, message("")));
        EXPECT_TRUE(first_error(decoder, message(R"({"a":1,"a":2})")));
        EXPECT_TRUE(first_error(decoder, message("1 2")));
    }
}

TEST(DecoderMembers, ThatAreNotKnownAreFew) {
    Decoder decoder;
    std::string members = R"("contextKey":"k","data":{})";
    for (int i = 0; i < 64; ++i)
        members += ",\"x" + std::to_string(i) + "\":null";
    EXPECT_EQ(described(first_error(decoder, sync(members))), "no error");
    const auto error = first_error(decoder, sync(members + ",\"y\":1"));
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code, Errc::too_large);
}

TEST(DecoderNumbers, AreTakenUpToTheLimitsOfTheirKind) {
    Decoder decoder;
    const auto read = [&decoder](const std::string& members) {
        const std::string text = put(members);
        const auto message = decoder.envelope(text);
        auto command = decoder.command(*message);
        EXPECT_TRUE(command) << members << (command ? "" : command.error().to_string());
        return command ? *std::move(command) : Command{};
    };
    const auto expires = [&](const std::string& number) {
        return std::get<PutContext>(read("\"expiresAt\":" + number).body).expires_at_ms;
    };
    EXPECT_EQ(expires("9223372036854775807"), std::optional<std::int64_t>(INT64_MAX));
    EXPECT_EQ(expires("-9223372036854775808"), std::optional<std::int64_t>(INT64_MIN));
    EXPECT_EQ(expires("-0"), std::optional<std::int64_t>(0));
    EXPECT_EQ(expires("\"2026-01-01T01:00:00+01:00\""), std::optional<std::int64_t>(1767225600000));
    EXPECT_TRUE(expires("null").has_value());
    EXPECT_FALSE(expires("null")->has_value());
    EXPECT_EQ(read(R"("expectedVersion":18446744073709551615)").expected_version, UINT64_MAX);
    EXPECT_EQ(read(R"("expectedVersion":0)").expected_version, 0U);
    EXPECT_FALSE(read(R"("expectedVersion":null)").expected_version.has_value());
    // One number, however it is written; to JSON Schema, too.
    EXPECT_EQ(read(R"("expectedVersion":70E-1)").expected_version, 7U);
    EXPECT_EQ(read(R"("expectedVersion":-0.0)").expected_version, 0U);
    EXPECT_EQ(expires("1e3"), std::optional<std::int64_t>(1000));
    EXPECT_EQ(expires("-9007199254740992.0"), std::optional<std::int64_t>(-9007199254740992));
}

TEST(DecoderNumbers, OfAnotherKindAreRefusedByTheNameOfTheirField) {
    Decoder decoder;
    const auto refused = [&](const std::string& text, const std::string& detail) {
        const auto error = first_error(decoder, text);
        ASSERT_TRUE(error) << text;
        EXPECT_EQ(error->code, Errc::invalid_field) << text;
        EXPECT_EQ(error->detail, detail) << text;
    };
    for (const std::string number :
         {"9223372036854775808", "-9223372036854775809", "1.5", "1e-3", "1e19",
          "18446744073709551616", "1e999", "\"1\"", "true", "[1]"})
        refused(put("\"expiresAt\":" + number), "expiresAt: must be " + std::string(kTimeForms));
    for (const std::string number : {"-1", "18446744073709551616", "0.5", "-1.0", "-1e999", "{}"})
        refused(put("\"expectedVersion\":" + number),
                "expectedVersion: must be a whole number from 0");
    for (const std::string number : {"1e999", "\"1\"", "false", "[]"})
        refused(R"({"type":"ping","timestamp":)" + number + "}",
                "timestamp: must be " +
                    (number[0] == '"' ? std::string(kTimeForms) : std::string("a number")));
    for (const std::string number :
         {"0", "-1.5e-3", "123456789012345678901234567890", "null", "\"2026-01-01T00:00:00Z\""})
        EXPECT_FALSE(first_error(decoder, R"({"type":"ping","timestamp":)" + number + "}"));
    for (const std::string number : {"01", "-", "1.", "+1", "1e", ".5"}) {
        const auto error = first_error(decoder, R"({"type":"ping","timestamp":)" + number + "}");
        ASSERT_TRUE(error) << number;
        EXPECT_EQ(error->code, Errc::invalid_json) << number;
        EXPECT_TRUE(error->detail.starts_with("timestamp: byte ")) << error->detail;
    }
}

TEST(DecoderFields, TakeNullForAbsentWhereTheyMayBe) {
    Decoder decoder;
    const std::string text =
        R"({"type":"context-sync","id":null,"userId":null,"instanceId":null,"timestamp":null,)"
        R"("payload":{"contextKey":"k","data":{},"version":null,"mergeStrategy":null,)"
        R"("contextType":null,"deleted":null,"tags":null,"userId":null,"instanceId":null}})";
    const auto message = decoder.envelope(text);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->id, "");
    const auto command = decoder.command(*message);
    ASSERT_TRUE(command) << command.error().to_string();
    const auto& context = std::get<PutContext>(command->body);
    EXPECT_EQ(context.data, "{}");
    EXPECT_FALSE(context.type.has_value());
    EXPECT_FALSE(context.tags.has_value());
    EXPECT_EQ(described(first_error(decoder, put(R"("tags":null)"))), "no error");
    for (const std::string_view data : {R"("contextKey":"k","data":null)", R"("contextKey":"k")"})
        EXPECT_EQ(described(first_error(decoder, sync(data))), "missing_field: data: is required");
    EXPECT_EQ(first_error(decoder, put(R"("force":nul)"))->code, Errc::invalid_json);
}

TEST(DecoderFields, ReadArraysOfStringsStrictly) {
    Decoder decoder;
    for (const std::string tags : {"[]", "[ ]", R"(["a"])", R"([ "a" , "\n" ])"})
        EXPECT_EQ(described(first_error(decoder, put("\"tags\":" + tags))), "no error");
    for (const std::string tags : {R"(["a",])", R"(["a" "b"])", R"([,"a"])", "[1]", "[null]",
                                   R"([["a"]])", R"(["\x"])", R"({"a":1})"}) {
        const auto error = first_error(decoder, put("\"tags\":" + tags));
        ASSERT_TRUE(error) << tags;
        EXPECT_TRUE(error->detail.starts_with("tags: ")) << error->detail;
    }
}

TEST(DecoderErrors, CountTheBytesOfTheMessage) {
    Decoder decoder;
    const std::string text = sync(R"("contextKey":"k","data":{"a":[1,02]})");
    const auto in_data = first_error(decoder, text);
    ASSERT_TRUE(in_data);
    EXPECT_TRUE(in_data->detail.starts_with("data: byte " + std::to_string(text.find("02")) +
                                            ": a number must not begin with 0"))
        << in_data->detail;
    const std::string ping = R"({"type":"ping","payload":{"a":tru}})";
    const auto in_payload = first_error(decoder, ping);
    ASSERT_TRUE(in_payload);
    EXPECT_TRUE(in_payload->detail.starts_with("payload: byte " + std::to_string(ping.find("tru"))))
        << in_payload->detail;
}

}  // namespace
}  // namespace dyad::wire
