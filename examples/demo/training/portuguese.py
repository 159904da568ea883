"""Portuguese sentences from a closed vocabulary of common words, made by templates."""

from grammar import Maker, vocabulary

NOUNS_M = """menino homem amigo professor médico irmão pai filho vizinho cachorro gato pássaro cavalo livro jornal carro
barco trem avião caminho rio mar sol vento tempo dia ano mês momento segundo minuto século mundo país lugar campo bairro
prédio quarto jardim banco mercado hospital café leite pão bolo queijo vinho almoço jantar prato copo relógio telefone
computador programa projeto trabalho problema sonho segredo presente futuro passado número nome som texto modelo exemplo
teste plano jogo filme sapato chapéu casaco vestido dinheiro preço papel lápis quadro espelho fogo gelo peixe""".split()
NOUNS_F = """menina mulher amiga professora médica irmã mãe filha vizinha família criança pessoa voz fala palavra frase
língua música canção história notícia carta festa viagem estrada rua praça cidade vila escola igreja loja casa porta
janela mesa cadeira cama cozinha sala escada parede árvore flor folha praia montanha chuva neve noite manhã tarde semana
hora vida ideia pergunta resposta aula lição prova equipe empresa fábrica máquina chave bolsa camisa saia roupa água sopa
fruta maçã laranja banana carne faca colher caixa luz sombra cor estrela lua terra ponte ilha""".split()
ADJECTIVES = """novo/nova velho/velha bonito/bonita alto/alta baixo/baixa pequeno/pequena grande/grande branco/branca
preto/preta vermelho/vermelha amarelo/amarela azul/azul verde/verde quente/quente frio/fria claro/clara escuro/escura
forte/forte fraco/fraca rico/rica pobre/pobre feliz/feliz triste/triste calmo/calma rápido/rápida lento/lenta
limpo/limpa sujo/suja cheio/cheia vazio/vazia doce/doce simples/simples difícil/difícil fácil/fácil longo/longa
curto/curta bom/boa antigo/antiga moderno/moderna perfeito/perfeita estranho/estranha famoso/famosa""".split()
VERBS_PAST = """comprou vendeu viu encontrou perdeu ouviu levou trouxe pegou deixou mostrou abriu fechou procurou
conheceu esqueceu guardou pintou lavou quebrou usou achou ganhou pediu chamou""".split()
VERBS_PRESENT = """compra vende vê encontra perde ouve leva traz pega deixa mostra abre fecha procura conhece esquece
guarda pinta lava quebra usa acha ganha pede chama quer tem""".split()
VERBS_ALONE = """dorme canta dança corre anda chega sai volta trabalha estuda viaja chora descansa espera pensa acorda
dormiu cantou correu chegou saiu voltou trabalhou estudou viajou caiu morreu nasceu""".split()
INFINITIVES = """comprar vender ver encontrar ouvir levar trazer mostrar abrir fechar procurar conhecer guardar pintar
lavar usar ganhar pedir aprender escrever ler entender fazer""".split()
MODALS = "pode deve quer vai precisa sabe tenta prefere gosta".split()
TIMES = """hoje amanhã ontem agora sempre nunca depois cedo tarde logo ainda também de~manhã à~noite à~tarde
todos~os~dias na~semana~passada no~ano~passado""".split()
PLACES = """na~cidade na~escola no~mercado no~jardim na~praia em~casa na~rua no~campo no~hospital na~praça no~trem
na~cozinha no~quarto perto~do~rio longe~daqui no~centro no~brasil em~portugal em~lisboa""".split()
NAMES = """Maria João Ana Pedro Paulo Carlos Lucas Marta Clara Rita Bruno Diego Helena Sofia Miguel Rafael Teresa
Júlia""".split()
NUMBERS = "dois três quatro cinco seis sete oito nove dez onze doze vinte trinta cem mil".split()
PLURALS = """livros carros amigos dias anos meses cavalos gatos copos pratos filhos sapatos jogos filmes quartos
segundos minutos barcos trens pães""".split()
FIXED = """Bom~dia! Boa~tarde. Boa~noite. Olá! Muito~obrigado. Muito~obrigada. Por~favor, Até~logo. Tudo~bem?
Com~licença. Sim, Não, Claro! Talvez. Está~bem. Que~pena! Bem-vindo! Parabéns!""".split()
SPEECH = """esta é a minha voz|a voz foi clonada|a fala é sintética|esta voz fala português|eu falo português|ouça a minha
voz|a voz fala devagar|esta fala foi gerada por um computador|o modelo aprende a falar|a minha voz tem alguns
segundos|quero ouvir a sua voz|o programa copia a voz de uma pessoa|isto é apenas um teste|alguns segundos de fala
bastam|a partir de agora eu falo com esta voz|a máquina fala como uma pessoa""".replace("\n", " ").split("|")
EXTRA = """e mas porque quando se como onde quem que com sem para por sobre até entre muito pouco mais menos bem mal
aqui ali lá isso isto aquilo ele ela eu nós eles elas meu minha seu sua nosso nossa este esta esse essa aquele aquela
algum alguma alguns algumas partir clonada gerada um uma o a os as de do da dos das em no na nos nas ao à é são foi era
está estava será tem havia não sim já só cada outro outra mesmo mesma todo toda tudo nada ninguém alguém primeiro
primeira último última zero""".split()
SYLLABLES = [c + v for c in "b c d f g j l m n p r s t v z ch lh nh br cr dr fr gr pr tr bl cl fl pl qu".split()
             for v in "a e i o u ã ão ei ou ai".split() if not (c in "qu" and v[0] != "e")]


class Portuguese(Maker):
    FIXED = FIXED
    LINKS = ["e", "mas", "porque", "quando"]
    WORDS = vocabulary(NOUNS_M, NOUNS_F, VERBS_PAST, VERBS_PRESENT, VERBS_ALONE, INFINITIVES, MODALS, TIMES, PLACES, NAMES,
                       NUMBERS, PLURALS, FIXED, EXTRA, SPEECH, [f.replace("/", "~") for f in ADJECTIVES])

    def noun_phrase(self):
        """An article, a noun, sometimes an adjective or a possessive."""
        feminine = self.rng.random() < 0.5
        articles = (["a", "uma", "esta", "minha", "sua", "nossa", "aquela", "cada", "outra"] if feminine else
                    ["o", "um", "este", "meu", "seu", "nosso", "aquele", "cada", "outro"])
        article = articles[0] if self.rng.random() < 0.4 else self.pick(articles)
        noun = self.pick(NOUNS_F if feminine else NOUNS_M)
        if self.rng.random() < 0.45:
            return f"{article} {noun} {self.pick(ADJECTIVES).split('/')[feminine]}"
        return f"{article} {noun}"

    def subject(self):
        return self.pick(NAMES) if self.rng.random() < 0.25 else self.noun_phrase()

    def clause(self):
        kind = self.rng.randrange(9)
        subject, object_ = self.subject(), self.noun_phrase()
        verb = self.pick(VERBS_PAST + VERBS_PRESENT)
        if kind == 0:
            return f"{subject} {verb} {object_}"
        if kind == 1:
            return f"{subject} {verb} {object_} {self.pick(PLACES)}"
        if kind == 2:
            return f"{self.pick(TIMES)} {subject} {verb} {object_}"
        if kind == 3:
            return f"{subject} {self.pick(VERBS_ALONE)} {self.pick(PLACES)} {self.pick(TIMES)}"
        if kind == 4:
            feminine = self.rng.random() < 0.5
            noun = f"a {self.pick(NOUNS_F)}" if feminine else f"o {self.pick(NOUNS_M)}"
            pair = [self.pick(ADJECTIVES).split("/")[feminine] for _ in range(2)]
            verb, degree = self.pick(["é", "está", "era", "estava"]), self.pick(["", "muito ", "mais "])
            return f"{noun} {verb} {degree}{pair[0]} e {pair[1]}"
        if kind == 5:
            return f"{subject} {self.pick(MODALS)} {self.pick(INFINITIVES)} {object_}"
        if kind == 6:
            owner = self.pick(["ele", "ela", "eu", "alguém", "ninguém", "meu pai"])
            return f"{owner} tem {self.pick(NUMBERS)} {self.pick(PLURALS)} {self.pick(PLACES)}"
        if kind == 7:
            link, name = self.pick(["de", "com", "sem", "para"]), self.pick(NAMES)
            return f"{object_} {link} {name} {self.pick(['é', 'foi', 'está'])} {self.pick(PLACES)}"
        return self.pick(SPEECH)

    def pseudo(self):
        """Words that do not exist, for the rules of spelling."""
        word = lambda: "".join(self.pick(SYLLABLES) for _ in range(self.rng.randint(2, 3)))
        return " ".join(word() for _ in range(self.rng.randint(2, 4)))
