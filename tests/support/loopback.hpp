// A whole server in this process, on a free port and a folder of its own; and clients for it.
#pragma once

#include "cli/http_client.hpp"
#include "cli/websocket_client.hpp"
#include "model/json.hpp"
#include "server/live/live_hub.hpp"
#include "server/live/plain_renderer.hpp"
#include "server/rest/api.hpp"
#include "server/server.hpp"
#include "store/sqlite/sqlite_store.hpp"

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include <gtest/gtest.h>
#include <unistd.h>

namespace dyad::test {

class Loopback {
  public:
    explicit Loopback(std::size_t cells = 1, server::Settings settings = {}) {
        char name[] = "/tmp/dyad-loopback-XXXXXX";
        folder_ = mkdtemp(name);
        settings.port = 0;
        settings.user_id = "default-user";
        settings.data_dir = folder_;
        server::Server::prepare_process();
        SystemRandom random;
        sqlite::DatabaseOptions options;
        options.folder = folder_;
        auto database = sqlite::Database::open(std::move(options), random);
        CHECK(database.has_value());
        server::Parts parts;
        parts.store = [database = *database](
                          const server::Settings&,
                          server::Parts::Post post) -> Result<std::unique_ptr<Store>> {
            return std::unique_ptr<Store>(
                std::make_unique<sqlite::SqliteStore>(database, std::move(post)));
        };
        parts.http = [](server::Node& node) -> server::HttpHandler {
            auto api = std::make_shared<server::rest::Api>(node);
            return [api](server::ExchangePtr exchange) { api->handle(std::move(exchange)); };
        };
        parts.live = [](server::Cell& cell) -> std::unique_ptr<server::LiveService> {
            return std::make_unique<server::live::LiveHub>(cell);
        };
        parts.renderer = &renderer_;
        auto server = server::Server::start(settings, parts, cells);
        CHECK(server.has_value());
        server_ = *std::move(server);
        thread_ = std::thread([this] { server_->run(); });
    }
    ~Loopback() {
        stop();
        server_.reset();
        std::filesystem::remove_all(folder_);
    }

    void stop() {
        if (!thread_.joinable()) return;
        server_->drain();
        thread_.join();
    }
    server::Server& server() { return *server_; }
    cli::Url url() const { return {.host = "127.0.0.1", .port = server_->port(), .prefix = {}}; }

  private:
    std::string folder_;
    server::live::PlainRenderer renderer_;
    std::unique_ptr<server::Server> server_;
    std::thread thread_;
};

// A WebSocket client that speaks JSON.
class Talker {
  public:
    static constexpr std::int64_t kPatienceMs = 20'000;

    explicit Talker(const Loopback& to, const std::string& protocol = {})
        : socket_(*cli::WebSocketClient::connect(to.url(), "/sync", protocol, kPatienceMs)) {
        EXPECT_EQ(text(next(), "type"), "connect");
    }

    // A plain client that has been registered.
    static Talker plain(const Loopback& to, const std::string& user, const std::string& instance) {
        Talker talker(to);
        talker.user_ = user;
        talker.instance_ = instance;
        talker.settle();
        return talker;
    }
    // A negotiated client that has got everything; `more` are further members of hello.
    static Talker negotiated(const Loopback& to, const std::string& user,
                             const std::string& instance, const std::string& more = {}) {
        Talker talker(to, "dyad.v2");
        talker.say(R"({"type":"hello","payload":{"protocol":2,"userId":")" + user +
                   R"(","instanceId":")" + instance + "\"" + more + "}}");
        return talker;
    }

    void say(const std::string& text) { ASSERT_TRUE(socket_.send(text).has_value()); }
    void say(const std::string& type, const std::string& id, const std::string& payload) {
        say(R"({"id":")" + id + R"(","type":")" + type + R"(","userId":")" + user_ +
            R"(","instanceId":")" + instance_ + R"(","timestamp":1,"payload":)" + payload + "}");
    }
    void put(const std::string& id, const std::string& key, const std::string& data) {
        say("context-sync", id,
            R"({"contextKey":")" + key + R"(","mergeStrategy":"replace","version":1,"data":)" +
                data + "}");
    }
    void command(const std::string& id, const std::string& payload) {
        say(R"({"id":")" + id + R"(","type":"command","payload":)" + payload + "}");
    }
    // What was sent before has been read by the server.
    void settle() {
        say("ping", "settle", "{}");
        static_cast<void>(expect("pong"));
    }

    json::Value next() {
        Result<std::string> got = socket_.receive(kPatienceMs);
        if (!got) {
            ended_ = got.error().detail;
            return json::Value(boost::json::object_kind);
        }
        Result<json::Value> value =
            json::parse(*got, {.depth_max = 64, .members_max = 10'000'000, .key_bytes_max = 256});
        EXPECT_TRUE(value.has_value());
        return value ? *std::move(value) : json::Value(boost::json::object_kind);
    }
    // The next message of this type; others are passed over.
    json::Value expect(const std::string& type) {
        for (;;) {
            json::Value message = next();
            if (!ended_.empty()) {
                ADD_FAILURE() << "no " << type << ": " << ended_;
                return json::Value(boost::json::object{{"payload", boost::json::object{}}});
            }
            if (text(message, "type") == type) return message;
        }
    }
    // Reads on to the end of the connection; what the client knows of it.
    std::string end() {
        while (ended_.empty())
            static_cast<void>(next());
        return ended_;
    }
    static std::string text(const json::Value& message, const char* member) {
        const auto* value = message.as_object().if_contains(member);
        return value != nullptr && value->is_string() ? std::string(value->get_string())
                                                      : std::string();
    }

  private:
    cli::WebSocketClient socket_;
    std::string user_;
    std::string instance_;
    std::string ended_;
};

}  // namespace dyad::test
