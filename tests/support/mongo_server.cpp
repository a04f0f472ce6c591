#include "support/mongo_server.hpp"

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include <arpa/inet.h>
#include <fcntl.h>
#include <mongoc/mongoc.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace dyad::test {
namespace {

constexpr std::chrono::seconds kStartMax{40};

std::string program() {
    const char* const given = std::getenv("DYAD_SECANTUSD");
    return given != nullptr ? given : DYAD_SOURCE_DIR "/.venv-mongo/bin/secantusd-py";
}

int free_port() {
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t bytes = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    const bool good =
        ::bind(listener, any, bytes) == 0 && ::getsockname(listener, any, &bytes) == 0;
    ::close(listener);
    if (!good) throw std::runtime_error("no free port on 127.0.0.1");
    return ntohs(address.sin_port);
}

// Asked over a client of its own, whose failures leave nothing behind.
bool takes_writes(const std::string& url) {
    mongoc_init();
    const std::unique_ptr<mongoc_client_t, void (*)(mongoc_client_t*)> client(
        mongoc_client_new((url + "?serverSelectionTimeoutMS=1000&connectTimeoutMS=1000").c_str()),
        mongoc_client_destroy);
    bson_t hello;
    bson_init(&hello);
    BSON_APPEND_INT32(&hello, "hello", 1);
    bson_t reply;
    const bool answered =
        mongoc_client_command_simple(client.get(), "admin", &hello, nullptr, &reply, nullptr);
    bson_iter_t at;
    const bool writable =
        answered && bson_iter_init_find(&at, &reply, "isWritablePrimary") && bson_iter_as_bool(&at);
    bson_destroy(&reply);
    bson_destroy(&hello);
    return writable;
}

}  // namespace

std::string MongoServer::missing() {
    if (::access(program().c_str(), X_OK) == 0) return {};
    return "there is no " + program() + ": ./x setup-tests installs it";
}

std::unique_ptr<MongoServer> MongoServer::start(std::vector<std::string> arguments) {
    if (!missing().empty()) return nullptr;
    std::unique_ptr<MongoServer> server(new MongoServer(std::move(arguments)));
    server->run();
    return server;
}

MongoServer::MongoServer(std::vector<std::string> arguments) : arguments_(std::move(arguments)) {
    char name[] = "/tmp/dyad-mongo-XXXXXX";
    if (::mkdtemp(name) == nullptr) throw std::runtime_error("no folder under /tmp");
    folder_ = name;
    port_ = free_port();
}

MongoServer::~MongoServer() {
    end(SIGKILL);
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
}

void MongoServer::run() {
    std::vector<std::string> words = {
        program(),        "--host",         "127.0.0.1", "--port", std::to_string(port_),
        "--storage-path", folder_ + "/data"};
    words.insert(words.end(), arguments_.begin(), arguments_.end());
    std::vector<char*> argv;
    for (std::string& word : words)
        argv.push_back(word.data());
    argv.push_back(nullptr);
    const std::string log = folder_ + "/log";
    std::filesystem::create_directories(folder_ + "/data");
    pid_ = ::fork();
    if (pid_ < 0) throw std::runtime_error("cannot fork");
    if (pid_ == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        const int to = ::open(log.c_str(), O_CREAT | O_WRONLY | O_APPEND, 0600);
        ::dup2(to, STDOUT_FILENO);
        ::dup2(to, STDERR_FILENO);
        ::close_range(3, ~0U, 0);
        ::execv(argv[0], argv.data());
        ::_exit(127);
    }
    wait_until_it_answers();
}

void MongoServer::wait_until_it_answers() {
    const auto until = std::chrono::steady_clock::now() + kStartMax;
    while (!takes_writes(url())) {
        if (::waitpid(pid_, nullptr, WNOHANG) == pid_) {
            pid_ = 0;
            fail_to_start("it ended");
        }
        if (std::chrono::steady_clock::now() > until) fail_to_start("it does not answer");
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
}

void MongoServer::fail_to_start(const std::string& why) {
    std::ostringstream said;
    said << std::ifstream(folder_ + "/log").rdbuf();
    throw std::runtime_error(program() + " does not start: " + why + "\n" + said.str());
}

void MongoServer::end(int signal_number) {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGCONT);
    ::kill(pid_, signal_number);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
}

void MongoServer::kill() {
    end(SIGKILL);
}

void MongoServer::stop() {
    end(SIGTERM);
}

void MongoServer::restart() {
    end(SIGTERM);
    run();
}

void MongoServer::signal(int number) {
    if (pid_ > 0) ::kill(pid_, number);
}

}  // namespace dyad::test
