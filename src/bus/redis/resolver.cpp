#include "bus/redis/resolver.hpp"

#include "base/thread.hpp"

#include <cstring>
#include <memory>

#include <netdb.h>

namespace dyad::bus {
namespace {

Addresses look_up(const std::string& host, std::uint16_t port, int flags) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV | flags;
    addrinfo* first = nullptr;
    const int code = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &first);
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> all(code == 0 ? first : nullptr,
                                                             [](addrinfo* list) {
                                                                 if (list != nullptr)
                                                                     freeaddrinfo(list);
                                                             });
    if (code != 0)
        return fail(Errc::unavailable, "the name " + host + " is not found (" + gai_strerror(code) +
                                           "): look for a typing error in REDIS_URL");
    std::vector<Address> addresses;
    for (const addrinfo* one = all.get(); one != nullptr; one = one->ai_next) {
        Address& address = addresses.emplace_back();
        std::memcpy(&address.storage, one->ai_addr, one->ai_addrlen);
        address.size = one->ai_addrlen;
    }
    return addresses;
}

}  // namespace

Resolver::~Resolver() {
    questions_.stop();
    if (thread_.joinable()) thread_.join();
}

void Resolver::resolve(const driver::CallerPtr& caller, const std::string& host, std::uint16_t port,
                       std::function<void(Addresses)> done) {
    if (Addresses addresses = look_up(host, port, AI_NUMERICHOST); addresses)
        return done(std::move(addresses));
    if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
    static_cast<void>(questions_.put({caller, host, port, std::move(done)}));
}

void Resolver::run() {
    name_thread("redis-names");
    while (std::optional<Question> question = questions_.take_one())
        driver::answer<Addresses>(question->caller, std::move(question->done),
                                  look_up(question->host, question->port, 0));
}

}  // namespace dyad::bus
